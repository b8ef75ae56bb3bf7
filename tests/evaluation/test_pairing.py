"""Which files belong together."""

from __future__ import annotations

import numpy as np
import pytest

from ft_s2a.errors import ContigError, TrackError
from ft_s2a.evaluation.pairing import check_assemblies, pair_tracks
from ft_s2a.tracks.files import TrackFile, write_files

VALUES = {"I": np.ones(20), "II": np.ones(10)}


@pytest.fixture
def folder(tmp_path, write_bases):
    def make(name, files, *, contigs=VALUES):
        for file in files:
            write_bases(tmp_path / name / file, contigs)
        return tmp_path / name

    return make


def _describe(pairs):
    return [(p.track, p.predicted.file.name, p.observed.file.name) for p in pairs]


def test_names_of_files_tsv_come_first(folder):
    # The file names say the contrary of what files.tsv says.
    predicted = folder("out", ["x.a.bw", "x.b.bw"])
    rows = [TrackFile(predicted / "x.a.bw", "b"), TrackFile(predicted / "x.b.bw", "a")]
    write_files(predicted, rows)
    observed = folder("obs", ["a.bw", "b.bw"])
    assert _describe(pair_tracks(predicted, observed)) == [
        ("b", "x.a.bw", "b.bw"),
        ("a", "x.b.bw", "a.bw"),
    ]


def test_file_names_where_track_names_differ(folder):
    predicted = folder("out", ["yeast-net.RNA.fwd.bw", "yeast-net.fwd.bw", "yeast-net.MNase.bw"])
    observed = folder("obs", ["RNA.fwd.bw", "fwd.bw", "MNase.bw"])
    found = _describe(pair_tracks(predicted, observed))
    assert {(p, o) for _, p, o in found} == {
        ("yeast-net.RNA.fwd.bw", "RNA.fwd.bw"),
        ("yeast-net.fwd.bw", "fwd.bw"),
        ("yeast-net.MNase.bw", "MNase.bw"),
    }


def test_track_names_and_missing_rules_of_a_table(folder, tmp_path):
    predicted = folder("out", ["net.a.bw", "net.b.bw"])
    folder("obs", ["one.bw", "two.bw"])
    table = tmp_path / "obs" / "tracks.tsv"
    table.write_text(
        "name\tfile\tmissing\tcolor\na\ttwo.bw\tnan\t#112233\nb\tone.bw\tzero\t#445566\n"
    )
    first, second = pair_tracks(predicted, table)
    assert (first.observed.file.name, first.missing, first.color) == ("two.bw", "nan", "#112233")
    assert (second.observed.file.name, second.missing) == ("one.bw", "zero")


def test_one_file_each(folder):
    predicted = folder("out", ["a.bw"]) / "a.bw"
    observed = folder("obs", ["a.bw"]) / "a.bw"
    assert len(pair_tracks(predicted, observed)) == 1


def test_gaps_in_measured_files_are_no_missing_predictions(folder):
    predicted = folder("out", ["a.bw"])
    observed = folder("obs", ["a.bw"])
    assert pair_tracks(predicted, observed)[0].missing_predicted == "nan"
    write_files(predicted, [TrackFile(predicted / "a.bw", "a", kind="observed")])
    assert pair_tracks(predicted, observed)[0].missing_predicted == "zero"


def test_a_folder_of_both_kinds(folder):
    both = folder("out", ["net.a.bw", "seen.a.bw"])
    rows = [
        TrackFile(both / "net.a.bw", "a", kind="predicted"),
        TrackFile(both / "seen.a.bw", "a", kind="observed"),
    ]
    write_files(both, rows)
    assert _describe(pair_tracks(both, both)) == [("a", "net.a.bw", "seen.a.bw")]


def test_what_does_not_pair_is_named(folder):
    predicted = folder("out", ["a.bw", "b.bw", "c.bw"])
    observed = folder("obs", ["a.bw", "d.bw"])
    with pytest.raises(TrackError, match=r"'b', 'c'.*'d'.*--tracks"):
        pair_tracks(predicted, observed)
    assert [p.track for p in pair_tracks(predicted, observed, tracks="a")] == ["a"]
    with pytest.raises(TrackError, match=r"no observed partner for 'b'") as caught:
        pair_tracks(predicted, observed, tracks="a,b")
    assert "'d'" not in str(caught.value)
    with pytest.raises(TrackError, match="no track matches 'x'"):
        pair_tracks(predicted, observed, tracks="x")


def test_observed_tracks_beyond_the_predicted_are_named(folder):
    predicted, observed = folder("out", ["a.bw"]), folder("obs", ["a.bw", "b.bw"])
    with pytest.raises(TrackError, match="no predicted partner for 'b'"):
        pair_tracks(predicted, observed)
    assert len(pair_tracks(predicted, observed, tracks="*")) == 1


def test_nothing_in_common_has_no_advice_to_choose(folder):
    predicted, observed = folder("out", ["a.bw"]), folder("obs", ["b.bw"])
    with pytest.raises(TrackError, match="no observed partner for 'a'") as caught:
        pair_tracks(predicted, observed)
    assert "--tracks" not in str(caught.value)


def test_many_names_are_cut(folder):
    predicted = folder("out", [f"t{i:02d}.bw" for i in range(13)])
    observed = folder("obs", ["a.bw"])
    with pytest.raises(TrackError, match=r"'t09' and 3 more") as caught:
        pair_tracks(predicted, observed)
    assert "t10" not in str(caught.value)


def test_tables_on_both_sides_are_taken_at_their_word(folder):
    predicted, observed = folder("out", ["net.b.bw"]), folder("obs", ["b.bw"])
    write_files(predicted, [TrackFile(predicted / "net.b.bw", "liver")])
    write_files(observed, [TrackFile(observed / "b.bw", "brain", kind="observed")])
    with pytest.raises(TrackError, match="no observed partner for 'liver'"):
        pair_tracks(predicted, observed)


def test_names_that_occur_twice_are_refused(folder):
    predicted = folder("out", ["one.bw", "two.bw"])
    write_files(predicted, [TrackFile(predicted / f, "a") for f in ("one.bw", "two.bw")])
    with pytest.raises(TrackError, match=r"'a' occurs more than once among the predicted"):
        pair_tracks(predicted, folder("obs", ["a.bw"]))


def test_two_predictions_of_one_observation_are_refused(folder):
    predicted = folder("out", ["x.a.bw", "y.a.bw"])
    with pytest.raises(TrackError, match=r"'x.a' and 'y.a' both pair with a.bw"):
        pair_tracks(predicted, folder("obs", ["a.bw"]))


def test_assemblies(folder):
    predicted, observed = folder("out", ["a.bw"]), folder("obs", ["a.bw"])
    assert check_assemblies(pair_tracks(predicted, observed), ["II"]) == {"I": 20, "II": 10}

    other = folder("other", ["a.bw"], contigs={"I": np.ones(19), "II": np.ones(10)})
    # II agrees, but the lengths of I tell that the assemblies differ.
    with pytest.raises(ContigError, match=r"'I' is 19 bp long, but 20 bp"):
        check_assemblies(pair_tracks(predicted, other), ["II"])

    named = folder("named", ["a.bw"], contigs={"chrI": np.ones(20), "chrII": np.ones(10)})
    with pytest.raises(ContigError, match="'chrII'"):
        check_assemblies(pair_tracks(predicted, named), ["II"])

    fewer = folder("fewer", ["a.bw"], contigs={"I": np.ones(20)})
    with pytest.raises(ContigError, match="'II' is not in"):
        check_assemblies(pair_tracks(predicted, fewer), ["II"])
