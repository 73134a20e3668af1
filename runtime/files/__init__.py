"""Files of arrays: .npy, .npz and safetensors, and the weights that files and runs hold."""
