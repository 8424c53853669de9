"""DeepFilterNet3 (Schröter et al. 2023) by its published ONNX graphs: see `factory`."""
