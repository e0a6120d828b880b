"""A workflow as a user of redun writes it: tasks on the executor `yard`, one script, and what fails."""

from redun import script, task

redun_namespace = "yard"


@task(executor="yard", memory=0.25)
def double(number):
    return 2 * number


@task(executor="yard", memory=0.25)
def total(numbers):
    return sum(numbers)


@task(executor="yard", memory=0.25)
def fail():
    raise ValueError("what went wrong")


@task(executor="yard", memory=0.25)
def shell(word):
    return script(f"echo script {word}", executor="yard", memory=0.25)


@task()
def main(count: int = 6):
    return [total([double(number) for number in range(count)]), shell("done")]
