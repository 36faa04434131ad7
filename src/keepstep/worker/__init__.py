"""Thin: runs the engine's jobs and the sweep; no rule of the business."""
