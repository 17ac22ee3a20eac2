"""The metrics of clusters, declared: each looks at the rows themselves, since there is no truth."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from pipelines.spec.metric import Metric

_CLUSTERS = Metric(
    name="",
    tasks=frozenset({"cluster"}),
    sees="rows",
    greater_is_better=True,
    bounds=(-1, 1),
    means="",
    undefined="all rows are of one cluster, or each is one of its own",
)
CLUSTER_METRICS = (
    replace(
        _CLUSTERS,
        name="silhouette",
        means=(
            "the mean over the rows of how much nearer their own cluster is than the next one: 1"
            " far apart, 0 no clusters at all; of more than 5,000 rows, of as many drawn by the"
            " seed"
        ),
        theirs="silhouette_score",
        shown=_CLUSTERS.tasks,
    ),
    replace(
        _CLUSTERS,
        name="calinski_harabasz",
        bounds=(0, inf),
        means="the spread between the clusters by that within them, each by its degrees of freedom",
        theirs="calinski_harabasz_score",
        shown=_CLUSTERS.tasks,
    ),
    replace(
        _CLUSTERS,
        name="stability",
        means=(
            "how alike the clustering is to the champion's on the same rows, whatever the clusters"
            " are called (adjusted Rand index): 1 the same, about 0 by chance"
        ),
        undefined="there is no champion",
        theirs="adjusted_rand_score",
    ),
)
