"""Random valid ONNX graphs in Octet and in ONNX Runtime, outputs compared at rtol 1e-4 and atol 1e-5.

  random_graphs.py OCTET [--graphs N] [--seed S] [--start I] [--keep DIR]

Octet must agree with ONNX Runtime with its graph optimizations off, or on: where the two ways differ,
each is an answer. Every eighth graph also runs by Octet's reference kernels. A graph that differs is
shrunk and saved to --keep. Differences that are an error of ONNX Runtime, or a choice the standard
leaves open, are written down in random_graphs_explained.txt. Exits 1 when one is not explained."""
import argparse
import multiprocessing
import pathlib
import re
import sys
import tempfile
import time

import numpy as np
import onnx

from random_graph.generator import generate
from random_graph.runners import LEVELS, Octet, differences
from random_graph.shrink import shrunk

EXPLAINED = pathlib.Path(__file__).parent / "random_graphs_explained.txt"
REFERENCE_EVERY = 8


def explanations():
    """(test of a model's operator types, pattern of the message, reason) of each line OPS | PATTERN | REASON."""
    found = []
    for line in EXPLAINED.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            ops, pattern, reason = (part.strip() for part in line.split("|", 2))
            names = set(ops.removeprefix("with ").split())
            holds = names.issubset if ops.startswith("with ") else names.issuperset
            found.append((holds, re.compile(pattern), reason))
    return found


def operators(graph):
    found = set()
    for node in graph.node:
        found.add(node.op_type)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found |= operators(attribute.g)
    return found


def reason_for(small, lines, known):
    """Why the shrunk case may differ, or None."""
    used = operators(small.model.graph) - {"Constant"}
    for holds, pattern, reason in known:
        if holds(used) and all(pattern.search(line) for line in lines):
            return reason
    return None


def save(folder, name, case, lines):
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(case.model, folder / f"{name}.onnx")
    np.savez(folder / f"{name}.npz", **case.feed)
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n" + onnx.printer.to_text(case.model) + "\n")


class Tally:
    """What a run found; runs add up."""

    def __init__(self):
        self.graphs = self.nodes = self.unexplained = self.not_run = self.ended = 0
        self.explained, self.made, self.refused = {}, {}, {}

    def add(self, case):
        self.graphs += 1
        self.nodes += len(case.model.graph.node)
        for total, part in ((self.made, case.made), (self.refused, case.refused)):
            for op, count in part.items():
                total[op] = total.get(op, 0) + count

    def join(self, other):
        for name, found in vars(other).items():
            mine = getattr(self, name)
            if isinstance(found, int):
                setattr(self, name, mine + found)
            else:
                for key, count in found.items():
                    mine[key] = mine.get(key, 0) + count

    def report(self, seconds):
        print(f"{self.graphs} graphs, {self.nodes} nodes, {len(self.made)} operators, in {seconds:.0f} s")
        if self.not_run:
            print(f"{self.not_run} of them ONNX Runtime did not run")
        if self.ended:
            print(f"{self.ended} of them end the process of ONNX Runtime when optimized")
        for reason, count in sorted(self.explained.items()):
            print(f"{count} explained: {reason}")
        print(f"{self.unexplained} differences unexplained", flush=True)


def check(case, octet, options, name, args, tally, known):
    lines = differences(case, octet, *options)
    if lines is None:
        tally.not_run += 1
        return
    if not lines:
        return
    small = shrunk(case, lambda c: differences(c, octet, *options))
    found = differences(small, octet, *options) or lines
    reason = reason_for(small, found, known)
    if reason:
        tally.explained[reason] = tally.explained.get(reason, 0) + 1
        return
    tally.unexplained += 1
    used = sorted(operators(small.model.graph) - {"Constant"})
    print(f"DIFFERS {name} {' '.join(options)} opset {case.model.opset_import[0].version} {' '.join(used)}")
    for line in found[:3]:
        print(f"    {line[:400]}", flush=True)
    if args.keep:
        save(args.keep, name + ("_reference" if options else ""), small, found)


def check_graph(index, octet, args, tally, known):
    case = generate(args.seed, index)
    tally.add(case)
    name = f"graph_{args.seed}_{index}"
    check(case, octet, (), name, args, tally, known)
    if index % REFERENCE_EVERY == 0:
        check(case, octet, ("--reference",), name, args, tally, known)


def check_range_of(first, last, ways, args, known, pipe):
    """Graphs first..last-1, in a process of its own: ONNX Runtime may end it."""
    with tempfile.TemporaryDirectory() as folder:
        octet = Octet(args.octet, folder, ways)
        for index in range(first, last):
            tally = Tally()
            check_graph(index, octet, args, tally, known)
            pipe.send(tally)


def run_apart(first, last, ways, args, known, total):
    """Adds graphs first..last-1 to `total` until one ends the process; returns the first not done."""
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    worker = context.Process(target=check_range_of, args=(first, last, ways, args, known, send))
    worker.start()
    send.close()
    try:
        while True:
            total.join(receive.recv())
            first += 1
    except EOFError:
        worker.join()
    if worker.exitcode > 0:
        raise SystemExit(f"graph {first}: the generator failed")
    return first


def check_all(args, known):
    """The joined tally of all graphs. One that ends the process runs again without optimizations."""
    total, index, end = Tally(), args.start, args.start + args.graphs
    while index < end:
        index = run_apart(index, end, tuple(LEVELS), args, known, total)
        if index == end:
            break
        total.ended += 1
        if run_apart(index, index + 1, ("plain",), args, known, total) == index:
            print(f"graph_{args.seed}_{index} ends the process of ONNX Runtime in any case", flush=True)
            total.not_run += 1
        index += 1
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("--graphs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="number of the first graph")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for shrunk models that differ")
    parser.add_argument("--operators", action="store_true", help="print how often each operator was made and refused")
    args = parser.parse_args()
    began = time.monotonic()
    tally = check_all(args, explanations())
    if args.operators:
        for op in sorted(tally.made | tally.refused):
            print(f"{op:34s} made {tally.made.get(op, 0):6d} refused {tally.refused.get(op, 0):6d}")
    tally.report(time.monotonic() - began)
    return 1 if tally.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
