"""Panels of an interactive page in rows and columns. How a page is written is in `pages`."""

from __future__ import annotations

from typing import Any

_BETWEEN, _ABOVE = 0.07, 0.28
"""Room between columns and rows, shares of the page's width and of a row's height."""


class PanelGrid:
    """Axes of a page's panels, for plotly's layout.

    Parameters
    ----------
    n_rows, n_columns : int
        The panels fill the page from the top left.
    """

    def __init__(self, n_rows: int, n_columns: int) -> None:
        self.n_rows, self.n_columns = n_rows, n_columns
        self.layout: dict[str, Any] = {"annotations": []}

    def axes(self, row: int, column: int, title: str, x: dict[str, Any], y: dict[str, Any]) -> dict[str, str]:
        """Place a panel; what a trace needs to be drawn in it is given back.

        Parameters
        ----------
        row, column : int
            From the top left, from 0.
        title : str
            Of the panel.
        x, y : dict
            Plotly's properties of its axes.
        """
        number = row * self.n_columns + column + 1
        last = "" if number == 1 else str(number)
        width, height = 1 / self.n_columns, 1 / self.n_rows
        across = [column * width + (_BETWEEN / 2 if column else 0.0), (column + 1) * width - _BETWEEN / 2]
        upwards = [1 - (row + 1 - _ABOVE / 2) * height, 1 - (row + _ABOVE / 2) * height]
        plain = {
            "showline": True,
            "linecolor": "#222222",
            "gridcolor": "#ececec",
            "zeroline": False,
            "ticks": "outside",
        }
        self.layout[f"xaxis{last}"] = {**plain, "domain": across, "anchor": f"y{last}", **_titled(x)}
        self.layout[f"yaxis{last}"] = {**plain, "domain": upwards, "anchor": f"x{last}", **_titled(y)}
        self.layout["annotations"].append(
            {
                "text": title,
                "xref": "paper",
                "yref": "paper",
                "x": across[0],
                "y": upwards[1],
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 12},
            }
        )
        return {"xaxis": f"x{last}", "yaxis": f"y{last}"}


def _titled(axis: dict[str, Any]) -> dict[str, Any]:
    said = axis.get("title", "")
    return {**axis, "title": {"text": said, "standoff": 4, "font": {"size": 11}}, "tickfont": {"size": 10}}
