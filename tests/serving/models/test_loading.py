"""What the flags say of loading reaches the models."""

from serving.models import loading
from serving.settings.options import ServerOptions


def test_threads_are_counted_as_tensorflow_serving_counts_them():
    def parallelism(**options):
        return loading.parallelism(ServerOptions("/m", **options))

    assert parallelism() == (0, 0)
    assert parallelism(tensorflow_inter_op_parallelism=-1) == (0, -1)
    assert parallelism(tensorflow_session_parallelism=3) == (3, 3)
    assert parallelism(tensorflow_session_parallelism=3, tensorflow_intra_op_parallelism=2) == (2, 0)
    assert parallelism(tensorflow_intra_op_parallelism=2, tensorflow_inter_op_parallelism=1) == (2, 1)
