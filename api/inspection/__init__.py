"""Analyses of a loaded model: its gradients, what the compiler made of it, what it will need."""
