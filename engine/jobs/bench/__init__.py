"""`voicecoach bench`: how near this machine's training and speaking come to what it can do."""
