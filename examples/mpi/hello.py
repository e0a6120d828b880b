"""The program of the MPI example: each rank says where it runs, and rank 0 prints what all have said."""

import os

from mpi4py import MPI

world = MPI.COMM_WORLD
node, address = os.environ["AWS_BATCH_JOB_NODE_INDEX"], os.environ.get("BATCHYARD_NODE_PRIVATE_IPV4_ADDRESS", "")
greetings = world.gather(f"rank {world.rank} of {world.size} on node {node} at {address} in session {os.getsid(0)}")
total = world.allreduce(world.rank)
if world.rank == 0:
    print(*greetings, f"the ranks add up to {total}", sep="\n")
