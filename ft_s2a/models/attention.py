"""Self-attention that knows how far apart two positions are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class RelativeAttention(nn.Module):
    """Attention of Enformer (and Transformer-XL): logits of content plus logits of distance.

    ``logits[i, j] = (q[i] + content_bias) k[j] + (q[i] + position_bias) r[j - i]``, with ``q``
    scaled by ``key_size ** -0.5`` and ``r`` the projected position features.

    Parameters
    ----------
    dim : int
        Channels of input and output.
    heads, key_size, value_size : int
    features : int
        Position features.
    dropout, position_dropout : float
        Of the attention's weights and of the position features.
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int,
        key_size: int,
        value_size: int,
        features: int,
        dropout: float = 0.0,
        position_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.key_size = key_size
        self.to_q = nn.Linear(dim, heads * key_size, bias=False)
        self.to_k = nn.Linear(dim, heads * key_size, bias=False)
        self.to_v = nn.Linear(dim, heads * value_size, bias=False)
        self.to_out = nn.Linear(heads * value_size, dim)
        nn.init.zeros_(self.to_out.weight)  # the block starts as the identity
        nn.init.zeros_(self.to_out.bias)
        self.to_rel_k = nn.Linear(features, heads * key_size, bias=False)
        self.content_bias = nn.Parameter(torch.randn(heads, key_size))
        self.position_bias = nn.Parameter(torch.randn(heads, key_size))
        self.position_dropout = nn.Dropout(position_dropout)
        self.dropout = nn.Dropout(dropout)

    def project(self, features: Tensor) -> Tensor:
        """Turn position features into keys of distances.

        Parameters
        ----------
        features : float tensor [2 n + 1, features]
            Of the distances ``1 - n`` to ``n - 1``, between two rows that are not used
            (:func:`ft_s2a.models.positions.framed_features`).

        Returns
        -------
        float tensor [heads, 2 n + 1, key_size]
        """
        keys = self.to_rel_k(self.position_dropout(features))
        return keys.view(-1, self.heads, self.key_size).transpose(0, 1)  # type: ignore[no-any-return]

    def forward(self, x: Tensor, distance_keys: Tensor) -> Tensor:
        """Attend.

        Parameters
        ----------
        x : float tensor [B, n, dim]
        distance_keys : float tensor [heads, 2 n + 1, key_size]
            From :meth:`project`.

        Returns
        -------
        float tensor [B, n, dim]
        """
        batch, length, _ = x.shape
        scale = self.key_size**-0.5
        # Heads before the batch, so that all products are of three-dimensional tensors and the
        # keys of distances need no copy per window.
        q = self._split(self.to_q(x) * scale)
        k, v = self._split(self.to_k(x)), self._split(self.to_v(x))
        by_distance = torch.bmm(
            q.flatten(1, 2) + self.position_bias.unsqueeze(1).to(q.dtype),
            distance_keys.transpose(1, 2),
        )
        bias = shifted(by_distance.view(self.heads * batch, length, -1))
        content = (q + self.content_bias[:, None, None].to(q.dtype)).flatten(0, 1)
        out = self._attend(content, k.flatten(0, 1), v.flatten(0, 1), bias)
        out = out.view(self.heads, batch, length, -1).permute(1, 2, 0, 3).flatten(2)
        result: Tensor = self.to_out(out)
        return result

    def _split(self, x: Tensor) -> Tensor:
        """[B, n, heads * size] -> [heads, B, n, size]."""
        return x.view(*x.shape[:2], self.heads, -1).permute(2, 0, 1, 3)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        if q.dtype != torch.float32 or q.device.type != "cpu":
            dropout = self.dropout.p if self.dropout.training else 0.0
            q, k, v, bias = (t.unsqueeze(0) for t in (q, k, v, bias))
            return functional.scaled_dot_product_attention(
                q, k, v, attn_mask=bias.to(q.dtype), dropout_p=dropout, scale=1.0
            ).squeeze(0)
        # Fused kernels of CPUs do not take values of another size than the keys; without them,
        # this has one pass less.
        weights = torch.baddbmm(bias, q, k.transpose(1, 2)).softmax(dim=2)
        return torch.bmm(self.dropout(weights), v)


def shifted(by_distance: Tensor) -> Tensor:
    """See logits of distances as logits of pairs; no copy.

    Parameters
    ----------
    by_distance : tensor [B, n, 2 n + 1]
        Contiguous; column ``n + d`` belongs to the distance ``d``.

    Returns
    -------
    tensor [B, n, n]
        A view: entry ``[i, j]`` is that of the distance ``j - i``.

    Examples
    --------
    >>> by_distance = torch.arange(-2, 3).expand(1, 2, 5).contiguous()
    >>> shifted(by_distance).tolist()
    [[[0, 1], [-1, 0]]]
    """
    # Row i begins i columns further left than the row before: in rows of one column less, its
    # distance 0 stands on the diagonal.
    batch, length, width = by_distance.shape
    flat = by_distance.view(batch, length * width)[:, length:]
    return flat.view(batch, length, width - 1)[:, :, :length]
