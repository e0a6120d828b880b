"""The numbers of the product, each as a ratio to a peer or a bare loop measured in the same run.

`python -m benchmarks [NAME ...] [--quick] [--json FILE] [--write-docs]`; docs/performance.md says what they mean.

    figures.py      what a measurement hands back; interleaved rounds, medians, percentiles
    connection.py   one keep-alive connection, and a load of eight
    yard.py         a real server on a fresh data folder
    peers.py        xargs, GNU parallel, HyperQueue, moto
    machine.py      what all this ran on
    containers.py   podman's bare API, and crun in a loop
    p1 to p9        a file for each promise
    report.py       the table, for the terminal and for docs/performance.md
"""
