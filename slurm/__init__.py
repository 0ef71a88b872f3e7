"""How a stage gets onto GPUs: one Slurm job for each stage of a size that needs a cluster.

    sizing/   models.SIZE of params.yaml, what a size costs, its base model, a stage run locally
    node/     what a job checks and starts on every node
    launch/   from `make train` to a job: run folder, submission, waiting, collecting
    shards/   a large synthesis as an array of jobs

A room imports only from rooms above it in this list, from agent_tuning and from its own modules.
`sizing` and `node` do not import each other. No module here imports from stages/ or benchmark/.
"""
