"""GALAXY (Zhang, Katz-Samuels, Nowak 2022, "GALAXY: Graph-based Active Learning at the Extreme").

Each class sees the pool as a linear graph: its order (Eq. 2), neighbors joined. A *cut* lies between neighbors of which
one is annotated as the class and the other as not. Every query looks at one class, drawn at random:

1. bisection: of the paths between annotated examples of opposite labels with nobody annotated between, take the
   shortest (of equals the one nearest to the front), and annotate its middle (of two the one nearer to the front);
2. no such path, so every cut is known: annotate the unlabeled example nearest to a cut, counted in positions from the
   cut's end on that side (of equals one before its cut, then the one at the cut farthest from the front);
3. no cut either: an unlabeled example, uniformly.

Two classes have orders that mirror each other, thus one graph: class 0's.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np

from labelbench_direct.core.annotations import Annotations
from labelbench_direct.core.linear_graph import LinearGraph
from labelbench_direct.core.pool_orders import PoolOrders
from labelbench_direct.core.types import Indices

Cuts = Literal["all", "reversed"]
"""Which cuts are annotated around: all of them, as in the paper, or only those at which the class follows the rest
(from the front of the order, which has the examples most like the class), as in LabelBench's code.
"""


def galaxy(orders: PoolOrders, known: Annotations, rng: np.random.Generator, cuts: Cuts = "all") -> Iterator[Indices]:
    """Yield one pool index to annotate at a time; go on with what ``known`` holds by then.

    Asks until the ``room`` of ``known`` is filled; an empty array says that what is open will decide. An example that
    is open or out is left out of the graphs, which are made again whenever that changes, or a label does.

    Each class's order is sorted at most once, in O(K N log N). Then a query costs a mark for each label that came since
    its class was last drawn, O(log N) for the few of them that matter (see ``LinearGraph``), and by rule 3
    O(annotated log annotated). Memory: 7 bytes for each class and example (5 where N < 2^16, 8 from 2^17): at most
    twice the scores in single precision, four times those in half precision.
    """
    num_graphs = orders.num_classes if orders.num_classes > 2 else 1
    graphs: dict[int, LinearGraph] = {}
    revision = known.revision

    def graph_of(k: int) -> LinearGraph:
        return LinearGraph(orders.order(k), k, known, both_kinds=cuts == "all")

    if known.room > num_graphs:  # most classes will be drawn
        with ThreadPoolExecutor(2) as executor:  # sorting an order, each takes several arrays of N numbers
            graphs.update(enumerate(executor.map(graph_of, range(num_graphs))))
    while True:
        if known.room == 0:
            yield np.zeros(0, dtype=np.int64)
            continue
        if revision != known.revision:
            graphs.clear()
            revision = known.revision
        k = int(rng.integers(num_graphs))
        graph = graphs[k] if k in graphs else graphs.setdefault(k, graph_of(k))
        graph.update()
        position = graph.middle_of_shortest_path()  # rule 1
        if position is None:
            position = graph.nearest_to_a_cut()  # rule 2
        if position is None:  # rule 3
            position = graph.unlabeled_position(int(rng.integers(known.num_unlabeled)))
        yield np.array([graph.index_at(position)])
