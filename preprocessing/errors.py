"""What can go wrong in a pipeline without being the user's doing."""


class PipelineError(RuntimeError):
    """A step of the pipeline failed in a way that is not the user's doing."""


class WorkerLostError(PipelineError):
    """A worker process ended in the middle of its work, most often for want of memory."""
