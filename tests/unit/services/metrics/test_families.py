"""What several processes have counted, added up."""

from __future__ import annotations

from lapel.services.metrics.families import Family, Sample, decode, encode, label_per_process, sum_families


def family(name: str, kind: str, value: float, **labels: str) -> Family:
    return Family(name, kind, "About it.", [Sample(name, labels, value)])


def test_numbers_with_the_same_name_and_labels_are_added() -> None:
    one = [family("requests", "counter", 2, status="200"), family("requests", "counter", 5, status="404")]
    other = [family("requests", "counter", 3, status="200"), family("queue", "gauge", 1)]

    (requests, queue) = sum_families([one, other])

    assert [(dict(sample.labels), sample.value) for sample in requests.samples] == [
        ({"status": "200"}, 5),
        ({"status": "404"}, 5),
    ]
    assert queue.samples[0].value == 1


def test_the_database_is_there_only_if_it_is_for_all() -> None:
    up = [family("lapel_database_up", "gauge", value) for value in (1, 0, 1)]

    assert sum_families([[one] for one in up])[0].samples[0].value == 0


def test_what_is_of_one_process_is_told_of_each() -> None:
    memory = family("process_resident_memory_bytes", "gauge", 100)
    requests = family("requests", "counter", 1)

    found = sum_families(label_per_process([memory, requests], worker) for worker in (0, 1))

    assert [(dict(sample.labels), sample.value) for sample in found[0].samples] == [
        ({"worker": "0"}, 100),
        ({"worker": "1"}, 100),
    ]
    assert found[1].samples[0].value == 2


def test_of_what_has_ended_only_counts_are_kept() -> None:
    ended = [
        family("requests", "counter", 7),
        family("queue", "gauge", 3),
        family("process_cpu_seconds", "counter", 1, worker="0"),
        family("lapel_database_up", "gauge", 1),
    ]

    assert [(one.name, one.samples[0].value) for one in sum_families([ended], gone=True)] == [("requests", 7)]


def test_another_process_reads_what_was_written() -> None:
    families = [family("requests", "counter", 2, status="200")]

    assert decode(encode(families)) == families
