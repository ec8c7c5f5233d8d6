"""Values, charts and runbooks in Git: each change is one commit, no change is none."""

from pathlib import Path

import yaml

from dalp_dr_lab.miniature import configuration


class Places:
    """A lab that has nothing but its folders."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.checkout = folder, folder


def commits(lab: Places) -> list[str]:
    log = configuration.git(configuration.repository(lab), "log", "--format=%s", "main")  # type: ignore[arg-type]
    return log.splitlines()


def test_each_change_is_one_commit(tmp_path: Path) -> None:
    lab = Places(tmp_path)
    first = configuration.commit(lab, {"dalp": {"backup": {"enabled": True}}}, "Install")  # type: ignore[arg-type]
    same = configuration.commit(lab, {"dalp": {"backup": {"enabled": True}}}, "Nothing new")  # type: ignore[arg-type]
    other = configuration.commit(lab, {"dalp": {"backup": {"enabled": False}}}, "Disable")  # type: ignore[arg-type]
    assert first == same != other
    assert commits(lab) == ["Disable", "Install"]


def test_repository_holds_values_and_charts(tmp_path: Path) -> None:
    lab = Places(tmp_path)
    configuration.commit(lab, {"support": {"files": {"tier": "gold"}}}, "Install")  # type: ignore[arg-type]
    show = configuration.git(configuration.repository(lab), "show", "main:values/support.yaml")  # type: ignore[arg-type]
    assert yaml.safe_load(show) == {"files": {"tier": "gold"}}
    tree = configuration.git(configuration.repository(lab), "ls-tree", "-r", "--name-only", "main")  # type: ignore[arg-type]
    assert "charts/dalp/templates/database.yaml" in tree.splitlines()


def test_uncommitted_drift_is_forgotten(tmp_path: Path) -> None:
    lab = Places(tmp_path)
    configuration.commit(lab, {"dalp": {"a": 1}}, "Install")  # type: ignore[arg-type]
    (configuration.working_copy(lab) / "values/dalp.yaml").write_text("a: 2\n")  # type: ignore[arg-type]
    configuration.ensure(lab)  # type: ignore[arg-type]
    assert configuration.read_values(lab, "dalp") == {"a": 1}  # type: ignore[arg-type]
