"""`python -m tests.security.mlflow_routes FOLDER`: users of yesterday in a folder, and all routes of a guarded server as JSON.

In a process of its own: MLflow's server is set up by the environment, once.
"""

import json
import os
import sys
from pathlib import Path

OLD_USER, OLD_PASSWORD = "yesterday", "the password of yesterday"


def main(folder: Path) -> None:
    from forecasting.registry.users import DATABASE, users_config

    os.environ |= {
        "MLFLOW_AUTH_CONFIG_PATH": str(users_config(folder, OLD_USER, OLD_PASSWORD)),
        "MLFLOW_AUTH_ADMIN_USERNAME": OLD_USER,
        "MLFLOW_AUTH_ADMIN_PASSWORD": OLD_PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "never used",
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder / 'unused.db'}",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }
    from mlflow.server import app
    from mlflow.server.auth import create_app

    whole = create_app(app)
    assert (folder / DATABASE).exists()
    native = {path: sorted(methods) for path, methods in whole.openapi()["paths"].items()}
    routes = [[method.upper(), path] for path, methods in native.items() for method in methods]
    routes += [[method, rule.rule] for rule in app.url_map.iter_rules() for method in rule.methods - {"HEAD", "OPTIONS"}]
    json.dump(routes, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
