"""Who does the work: processes of this machine, or a cluster. Tasks do not know which."""
