"""JupyterHub for a laboratory: everybody has the analyst's door and the notebooks, and nobody can change the store.

What differs from house to house is taken from the environment; see README.md beside this file.
"""

import os
import shutil
from pathlib import Path

c = get_config()  # noqa: F821 - given by JupyterHub

CONFIGURATION = os.environ.get("MAP_ASSETS_CONFIG", "/etc/map_assets/map_assets.toml")
NOTEBOOKS = Path(os.environ.get("MAP_ASSETS_NOTEBOOKS", "/opt/map_assets/notebooks"))
STATE = Path(os.environ.get("JUPYTERHUB_STATE", "/srv/jupyterhub"))

# -- the hub ---------------------------------------------------------------------------------------------------------
c.JupyterHub.bind_url = os.environ.get("JUPYTERHUB_BIND_URL", "http://127.0.0.1:8000")
c.JupyterHub.db_url = f"sqlite:///{STATE}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(STATE / "jupyterhub_cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(STATE / "jupyterhub-proxy.pid")

# the machine's own accounts (PAM); for a group of them: JUPYTERHUB_GROUPS=analysts,students
c.JupyterHub.authenticator_class = os.environ.get("JUPYTERHUB_AUTHENTICATOR", "pam")
groups = {name.strip() for name in os.environ.get("JUPYTERHUB_GROUPS", "").split(",") if name.strip()}
if groups:
    c.LocalAuthenticator.allowed_groups = groups
else:
    c.Authenticator.allow_all = True
c.Authenticator.admin_users = {name for name in os.environ.get("JUPYTERHUB_ADMINS", "").split(",") if name}

# -- everybody's server ----------------------------------------------------------------------------------------------
c.JupyterHub.spawner_class = os.environ.get("JUPYTERHUB_SPAWNER", "jupyterhub.spawner.LocalProcessSpawner")
c.Spawner.default_url = "/lab/tree/map_assets/overview.py"
c.Spawner.args = [
    # a text notebook (percent format) opens as a notebook
    "--ServerApp.contents_manager_class=jupytext.TextFileContentsManager",
    "--TextFileContentsManager.formats=py:percent",
]
# the servers take what is named here and nothing else of the hub's environment
c.Spawner.env_keep = ["PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV"]
c.Spawner.environment = {"MAP_ASSETS_CONFIG": CONFIGURATION, "OMP_NUM_THREADS": "4"}
c.Spawner.start_timeout = 60


def give_notebooks(spawner):
    """Copy the notebooks into the person's home at the first start; what they changed stays theirs."""
    import pwd

    account = pwd.getpwnam(spawner.user.name)
    folder = Path(account.pw_dir) / "map_assets"
    made = [] if folder.is_dir() else [folder]
    folder.mkdir(exist_ok=True)
    for notebook in sorted(NOTEBOOKS.glob("*.py")):
        target = folder / notebook.name
        if not target.exists():
            shutil.copyfile(notebook, target)
            made.append(target)
    for path in made:
        os.chown(path, account.pw_uid, account.pw_gid)


c.Spawner.pre_spawn_hook = give_notebooks
