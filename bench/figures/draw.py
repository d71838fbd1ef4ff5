"""Pictures: gnuplot draws each figure from its data file, as SVG and as PNG."""

import csv
import pathlib
import subprocess
import textwrap

STYLE = """
set datafile separator comma
set key outside right top vertical samplen 1.5
set bmargin 7
set grid lc rgb '#dddddd'
set border 3 lc rgb '#444444'
set tics nomirror
set style line 1 lc rgb '#0b6e99' lw 2 pt 7 ps 0.6
set style line 2 lc rgb '#d9730d' lw 2 pt 5 ps 0.6
set style line 3 lc rgb '#0f7b6c' lw 2 pt 9 ps 0.7
set style line 4 lc rgb '#ad1a72' lw 2 pt 11 ps 0.7
set style line 5 lc rgb '#6940a5' lw 2 pt 13 ps 0.7
set style line 6 lc rgb '#9b9a97' lw 2 pt 4 ps 0.6
set style line 7 lc rgb '#dfab01' lw 2 pt 6 ps 0.6
set style line 8 lc rgb '#e03e3e' lw 2 pt 8 ps 0.6
set style increment user
"""


TERMINALS = (
    ("svg", "svg size 900,560 dynamic noenhanced font 'sans,18' background '#ffffff'"),
    ("png", "pngcairo size 900,560 noenhanced font 'sans,14'"),
)


class Picture:
    """Lines over one axis. `lines` holds a name and its points for each; `setting` names medium,
    transport, machine and what is simulated."""

    setting = ""

    def __init__(self, name, title, x_label, y_label, lines, settings=(), style="lines"):
        self.name, self.title = name, title
        self.x_label, self.y_label = x_label, y_label
        self.lines, self.settings, self.style = lines, settings, style

    def write_data(self, folder):
        path = folder / f"{self.name}.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["line", self.x_label, self.y_label])
            for name, points in self.lines:
                table.writerows([name, x, y] for x, y in points)
        return path

    def _script(self, terminal, output):
        blocks = []
        for at, (_, points) in enumerate(self.lines):
            rows = "\n".join(f"{x},{y}" for x, y in points)
            blocks.append(f"$line{at} << END\n{rows}\nEND")
        drawn = ", ".join(
            f"$line{at} using 1:2 with {self.style} ls {at % 8 + 1} title {_quoted(name)}"
            for at, (name, _) in enumerate(self.lines))
        small = "\n".join(textwrap.wrap(self.setting, 120))
        return "\n".join([f"set terminal {terminal}", f"set output {_quoted(str(output))}", STYLE,
                          f"set title {_quoted(self.title)} font 'sans,15'",
                          f"set label {_quoted(small)} at screen 0.02,0.055 font 'sans,10'",
                          f"set xlabel {_quoted(self.x_label)}",
                          f"set ylabel {_quoted(self.y_label)}", *self.settings, *blocks,
                          f"plot {drawn}", ""])

    def draw(self, folder):
        self.write_data(folder)
        for ending, terminal in TERMINALS:
            output = pathlib.Path(folder) / f"{self.name}.{ending}"
            done = subprocess.run(["gnuplot"], input=self._script(terminal, output), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"gnuplot: {self.name}: status {done.returncode}: "
                                   f"{done.stdout}")


def _quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
