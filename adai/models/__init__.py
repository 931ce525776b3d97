"""Networks: one file a family."""

from adai.models.mlp import MLP

MODELS = {"mlp": MLP}
