"""The logit lens: the head applied after every layer of a model."""
