"""Where rows come from: checkpoints, and what stands around their last matrix."""
