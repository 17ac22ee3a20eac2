"""Fitted pipelines compiled to ONNX, each with the proof that it answers alike."""
