"""Is this the cluster to write into, and are these the captures to let out? Asked before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from recorder.capture.manifest import Manifest
from recorder.capture.reader import Capture
from recorder.replaying.findings import Finding, warning
from recorder.replaying.gathering import capture_names
from recorder.replaying.options import Options


def check_captures(captures: Sequence[Capture], target_id: str | None, options: Options) -> Iterator[Finding]:
    """`check_clusters` for each; what is found of several says of which."""
    if options.allow_targets and target_id not in options.allow_targets:
        yield Finding(
            severity="error",
            topic=None,
            what=f"The target is cluster {target_id or '(it does not say)'}, and replays may only go to "
            + ", ".join(options.allow_targets),
            fix="Give another target, or name it: --allow-target, or allow_targets in blackbox.yaml.",
            refusal=True,
        )
    for capture, name in zip(captures, capture_names(captures), strict=True):
        for found in check_clusters(capture.manifest, target_id, options):
            yield found if len(captures) == 1 else msgspec.structs.replace(found, what=f"{name}: {found.what}")


def check_clusters(manifest: Manifest, target_id: str | None, options: Options) -> Iterator[Finding]:
    """Is this the cluster to write into, and the capture one to let out?"""
    sources = manifest.cluster_ids
    if target_id is None or not sources or manifest.of_unknown_cluster:
        what = (
            "The target does not say what it is"
            if target_id is None
            else "The capture does not say which cluster it came from"
        )
        yield warning(None, f"{what}, so nobody can tell whether this is the source cluster", "Make sure it is not.")
    if target_id in sources and not options.allow_source_cluster:
        yield Finding(
            severity="error",
            topic=None,
            what=f"The capture came from this very cluster ({target_id})",
            fix="Give another target, or --allow-source-cluster if you mean it.",
            refusal=True,
        )
    if not options.aborted and any(partition.aborted for _, partition in manifest.topic_partitions()):
        yield warning(None, "Its records of aborted transactions are left out", "Give --aborted to send them as well.")
    if manifest.clean is None and not options.allow_raw:
        yield Finding(
            severity="error",
            topic=None,
            what="The capture is raw: it was not scrubbed and may hold personal data",
            fix="Run 'blackbox scrub' and replay the result, or give --allow-raw if you mean it.",
            refusal=True,
        )
