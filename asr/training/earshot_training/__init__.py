"""Makes Earshot's speech recogniser: text, voices, telephone lines, network, ONNX file, model card."""
