"""How the networks learn: objective, schedule, trainer, checkpoints and history."""
