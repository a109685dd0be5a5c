"""Trains the speech detector of media workers: contracts/src/vad-model.ts."""
