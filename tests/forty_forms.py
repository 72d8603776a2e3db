"""Right answers of the forty models: first as the file of reference answers prints them, then rewritten.

The names are those of the models in `forty.py`.
"""

from __future__ import annotations

FORMS: dict[int, tuple[str, ...]] = {
    1: (r"(A+A^\top)x", r"A x + A^T x", r"(x^T A)^T + A x", r"2 A x + (A^T - A) x"),
    2: (r"a b^\top", r"(b a^T)^T", r"\left(a_i b_j\right)_{ij}"),
    3: (r"A^\top B^\top", r"(B A)^\top", r"\left(\sum_{k} A_{ki} B_{jk}\right)_{ij}"),
    4: (r"(A+A^\top)X", r"A X + A^T X", r"(X^T A)^T + (X^T A^T)^T"),
    5: (r"2X^\top(Xw-y)", r"2 X^T X w - 2 X^T y", r"2 \left((X w - y)^T X\right)^T", r"2 X^T r"),
    6: (r"2X^\top(XW-Y)", r"2 X^T X W - 2 X^T Y", r"2 (R^T X)^T"),
    7: (r"X^{-\top}", r"(X^{-1})^T", r"(X^T)^{-1}", r"X^{-T} X X^{-1}"),
    8: (r"\det(X)X^{-\top}", r"f (X^{-1})^T", r"\det(X^T) (X^T)^{-1}"),
    9: (r"-(X^{-1}BAX^{-1})^\top", r"-X^{-T} A^T B^T X^{-T}", r"-(X^T)^{-1} (B A)^T (X^{-1})^T"),
    10: (
        r"\frac{y}{\lVert x\rVert\lVert y\rVert}-\frac{x^\top y}{\lVert x\rVert^3\lVert y\rVert}x",
        r"\frac{1}{\|x\| \|y\|} \left(y - \frac{x x^T y}{x^T x}\right)",
        r"\frac{y \|x\|^2 - x x^T y}{\|x\|^3 \|y\|}",
    ),
    11: (r"x/\lVert x\rVert_2", r"\frac{x}{\sqrt{x^T x}}", r"\frac{x}{f}", r"(x^T x)^{-1/2} x"),
    12: (
        r"A^\top\operatorname{sign}(Ax-b)",
        r"-A^T \operatorname{sign}(b - A x)",
        r"\left(\operatorname{sign}(r)^T A\right)^T",
    ),
    13: (r"X^\top X+\lambda I", r"(X^T X)^T + \lambda I^T", r"\lambda \left(I + \frac{1}{\lambda} X^T X\right)"),
    14: (
        r"\operatorname{diag}(\sigma(x)\circ(1-\sigma(x)))",
        r"\operatorname{diag}(s) - \operatorname{diag}(s \circ s)",
        r"\operatorname{diag}(s) (I - \operatorname{diag}(s))",
        r"\operatorname{diag}(\sigma'(x))",
    ),
    15: (
        r"-X^\top(y\circ\sigma(-y\circ Xw))",
        r"-X^T \left(\frac{y}{1 + e^{y \circ z}}\right)",
        r"X^T (y \circ \sigma(y \circ z)) - X^T y",
    ),
    16: (r"X^\top(\sigma(Xw)-y)", r"X^T p - X^T y", r"\left((p - y)^T X\right)^T"),
    17: (
        r"X^\top\operatorname{diag}(\sigma(Xw)\circ(1-\sigma(Xw)))X",
        r"X^T \left(\sigma'(z) \mathbf{1}^T \circ X\right)",
        r"(\operatorname{diag}(\sigma(z)) X)^T X - X^T \operatorname{diag}(\sigma(z) \circ \sigma(z)) X",
    ),
    18: (
        r"\operatorname{diag}(p)-pp^\top",
        r"\operatorname{diag}(p) (I - \mathbf{1} p^T)",
        r"\left(p_i ([i = j] - p_j)\right)_{ij}",
    ),
    19: (r"\operatorname{softmax}(x)", r"\frac{e^x}{\mathbf{1}^T e^x}", r"e^{x - f \mathbf{1}}"),
    20: (r"\operatorname{softmax}(z)-y", r"p - y", r"(\mathbf{1}^T y) p - y"),
    21: (
        r"\operatorname{diag}(p)-pp^\top",
        r"(\mathbf{1}^T y) (\operatorname{diag}(p) - p p^T)",
        r"(I - p \mathbf{1}^T) \operatorname{diag}(p)",
    ),
    22: (r"X^\top(P-Y)", r"X^T P - X^T Y", r"(\delta^T X)^T", r"X^T (P \circ (Y \mathbf{1} \mathbf{1}^T) - Y)"),
    23: (
        r"(XW+\mathbf 1b^\top-Y)^\top\mathbf 1",
        r"W^T X^T \mathbf{1} + n b - Y^T \mathbf{1}",
        r"\left(\sum_{i} R_{ij}\right)_{j}",
    ),
    24: (
        r"X^\top\left[(\tanh(XW_1)W_2-Y)W_2^\top\circ(1-\tanh^2(XW_1))\right]",
        r"X^T (R W_2^T \circ \tanh'(Z))",
        r"X^T (R W_2^T - R W_2^T \circ H^{\circ 2})",
    ),
    25: (
        r"X^\top\left[(P-Y)W_2^\top\circ\mathbb 1[XW_1>0]\right]",
        r"X^T (P W_2^T \circ [Z_1 > 0]) - X^T (Y W_2^T \circ [Z_1 > 0])",
        r"X^T (\delta_2 W_2^T \circ \text{ReLU}'(Z_1))",
    ),
    26: (
        r"X^\top[((\Delta W_3^\top)\circ\tanh'(Z_2))W_2^\top\circ\tanh'(Z_1)]",
        r"X^T (\delta_2 W_2^T \circ (1 - H_1^{\circ 2}))",
        r"X^T ((\Delta W_3^T \circ (1 - H_2 \circ H_2)) W_2^T \circ \tanh'(X W_1))",
    ),
    27: (
        r"(a\circ\varphi'(Wx))x^\top",
        r"\operatorname{diag}(\varphi'(z)) a x^T",
        r"\operatorname{diag}(a) \varphi'(z) x^T",
    ),
    28: (
        r"\frac{1}{n} \left(nG-\mathbf 1\mathbf 1^\top G-\hat X\circ\mathbf 1\mathbf 1^\top(G\circ\hat X)\right)"
        r" \oslash (\mathbf{1} s)",
        r"\left(G - \frac{1}{n} \mathbf{1} \mathbf{1}^T G - \frac{1}{n} \hat{X} \circ "
        r"(\mathbf{1} \mathbf{1}^T (G \circ \hat{X}))\right) \oslash (\mathbf{1} s)",
        r"\frac{\partial f}{\partial C} + \frac{1}{n} \mathbf{1} \frac{\partial f}{\partial \mu}",
        r"\frac{\partial f}{\partial C} - \frac{1}{n} \mathbf{1} \mathbf{1}^T \frac{\partial f}{\partial C}",
    ),
    29: (
        r"\left(G - \frac{1}{d} G \mathbf{1} \mathbf{1}^T - \frac{1}{d} \hat{X} \circ "
        r"((G \circ \hat{X}) \mathbf{1} \mathbf{1}^T)\right) \oslash (s \mathbf{1}^T)",
        r"\frac{\partial f}{\partial C} - \frac{1}{d} \frac{\partial f}{\partial C} \mathbf{1} \mathbf{1}^T",
        r"\frac{1}{d} \left(d G - G \mathbf{1} \mathbf{1}^T - \hat{X} \circ "
        r"((\hat{X} \circ G) \mathbf{1} \mathbf{1}^T)\right) \oslash (s \mathbf{1}^T)",
    ),
    30: (
        r"\frac{g}{r}-\frac{g^\top x}{n r^3}x",
        r"\frac{1}{r} \left(g - \frac{x x^T g}{n r^2}\right)",
        r"\frac{n r^2 g - x x^T g}{n r^3}",
    ),
    31: (
        r"\tfrac1{\sqrt d}\left[P\circ(GV^\top-\operatorname{rowsum}(P\circ GV^\top)\mathbf 1^\top)\right]K",
        r"\frac{\delta K}{\sqrt{d}}",
        r"\frac{1}{\sqrt{d}} (P \circ G V^T) K "
        r"- \frac{1}{\sqrt{d}} (P \circ ((P \circ G V^T) \mathbf{1} \mathbf{1}^T)) K",
    ),
    32: (
        r"\tfrac1{\sqrt d}X^\top[P\circ(G(XW_V)^\top-\operatorname{rowsum}(P\circ G(XW_V)^\top)\mathbf 1^\top)]XW_K",
        r"\frac{1}{\sqrt{d}} X^T \delta K",
        r"X^T (P \circ (G V^T - ((P \circ G V^T) \mathbf{1}) \mathbf{1}^T)) \frac{K}{\sqrt{d}}",
    ),
    33: (
        r"\tfrac1\tau(\operatorname{softmax}_{row}(S)-I)U",
        r"\frac{\operatorname{softmax}_{row}(S) U}{\tau} - \frac{U}{\tau}",
        r"\frac{1}{\tau} (e^S \oslash (e^S \mathbf{1} \mathbf{1}^T)) U - \frac{1}{\tau} U",
    ),
    34: (
        r"\left[g\circ o\circ(1-\tanh^2 (c_t))\circ c\circ f\circ(1-f)\right]x^\top",
        r"\delta_f x^T",
        r"\operatorname{diag}(g \circ o \circ \tanh'(c_t)) (c \circ \sigma'(z_f)) x^T",
    ),
    35: (
        r"\delta_1 h_0^T + \delta_2 h_1^T + \delta_3 h_2^T",
        r"(g \circ (1 - h_3^2)) h_2^T + (W^T \delta_3 \circ (1 - h_2^2)) h_1^T "
        r"+ (W^T \delta_2 \circ (1 - h_1^2)) h_0^T",
        r"\left(h_2 \delta_3^T + h_1 \delta_2^T + h_0 (W^T \delta_2 \circ \tanh'(z_1))^T\right)^T",
    ),
    36: (
        r"\left(\sum_t g_tx_{t+j}\right)_j",
        r"\left(\sum_{s} x_s g_{s-j}\right)_j",
        r"\left(\sum_{t} g_t \sum_{s} [s = t + j] x_s\right)_j",
    ),
    37: (
        r"\left(\sum_{o,u,v} G_{o,u,v} K_{o,c,a-u,b-v}\right)_{c,a,b}",
        r"\left(\sum_{o,i,j} G_{o,a-i,b-j} K_{o,c,i,j}\right)_{c,a,b}",
        r"\left(\sum_{o,u,v,i,j} G_{o,u,v} K_{o,c,i,j} [a = u + i] [b = v + j]\right)_{c,a,b}",
    ),
    38: (
        r"\tfrac12\Sigma^{-\top}-\tfrac12\Sigma^{-\top}(x-\mu)(x-\mu)^\top\Sigma^{-\top}",
        r"\frac{1}{2} \Sigma^{-T} (I - r r^T \Sigma^{-T})",
        r"\frac{1}{2} \left(\Sigma^{-1} - \Sigma^{-1} r r^T \Sigma^{-1}\right)^T",
    ),
    39: (r"\tfrac12(e^{\ell}-1)", r"\frac{1}{2} e^{\ell} - \frac{1}{2} \mathbf{1}", r"-\frac{1 - e^{\ell}}{2}"),
    40: (
        r"-2\,(M\circ M\circ(A-UV^\top))V",
        r"-2 (M \circ R) V",
        r"2 (M \circ M \circ (U V^T)) V - 2 (M \circ M \circ A) V",
    ),
}
