"""A batch for a render farm: the job is ours, the engine and the machines are the farm's."""
