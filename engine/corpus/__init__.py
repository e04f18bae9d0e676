"""What is learned from: recordings and their transcripts, made into batches."""
