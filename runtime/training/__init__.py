"""The loop of training: its steps and rates, what it watches, keeps and tells."""
