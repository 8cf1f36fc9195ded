"""The pushed model to a few recommendations, asked for over gRPC."""

from __future__ import annotations

import io

from pipelines.runs.artifact import Artifact
from pipelines.runs.job import Job
from preprocessing.schema import Schema, file_digest, read_vocabulary, write_whole

RECOMMENDATIONS = "recommendations.txt"


def recommend(job: Job) -> Artifact:
    """Serves what was pushed for a moment, and asks for recommendations as any client would.

    Raises:
      InputError, ServingError: the server does not start, or does not answer.
    """
    from rich.console import Console
    from rich.markup import escape

    from pipelines.local_server import local_server
    from pipelines.recommendations import ask, show
    from serving.client import Client

    examples = job.artifacts["preprocess"]
    schema = Schema.read(examples)
    users = read_vocabulary(examples / schema.users.vocabulary)
    popular = read_vocabulary(examples / schema.items.vocabulary)[:2]
    text = io.StringIO()
    console = Console(file=text, width=job.display.console.width, highlight=False)
    serving = job.artifacts["push"].parent
    with local_server(serving, job.folder / "server.log") as target, Client(target) as client:
        job.display.phase(f"a model server answers at {target} (gRPC)")
        # Ids stand in falling order of activity: a busy user, a middling one, and somebody new.
        for user in (users[len(users) // 10], users[len(users) // 2]):
            console.print(f"\n[bold]tandem recommend --user {escape(user)}[/bold]")
            show(ask(client, user=user, k=5), console)
        console.print(f"\n[bold]tandem recommend --history {escape(','.join(popular))}[/bold]")
        show(ask(client, history=popular, k=5), console)
    path = job.folder / RECOMMENDATIONS
    write_whole(path, text.getvalue().encode())
    return Artifact(path, file_digest(path))
