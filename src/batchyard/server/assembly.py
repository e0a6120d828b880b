"""Assembly: makes every part, hands each what it needs, and takes them down in reverse. It decides nothing."""

import gc
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from batchyard.api.batch.compute_environments import create_compute_environment
from batchyard.api.batch.job_queues import create_job_queue
from batchyard.api.context import Settings
from batchyard.core.service_capacity import InstanceSize, InstanceSizes
from batchyard.core.training import TrainingSite
from batchyard.engine.clock import SystemClock
from batchyard.engine.isolation import IsolationRules
from batchyard.engine.launches import LaunchSettings
from batchyard.engine.loop import Engine
from batchyard.engine.retention import Retention
from batchyard.engine.task_endpoint import TaskEndpoint, TaskTokens
from batchyard.executors.interface import Capacity
from batchyard.executors.machine import machine_capacity
from batchyard.executors.secrets import WithSecrets, resolver
from batchyard.logs.files import logs_folder
from batchyard.logs.remover import remove_logs
from batchyard.server import listen
from batchyard.server.app import by_port, create_app
from batchyard.server.choice_of_executor import choose_executor, secret_sources
from batchyard.server.configuration import Configuration, Instance
from batchyard.server.data_folder import DataFolder
from batchyard.server.dispatch import OperationDispatch
from batchyard.server.event_streams import EventStreams
from batchyard.server.explanations import Explanations
from batchyard.server.gate import Gate
from batchyard.server.job_roles import RoleSource
from batchyard.server.task_app import create_task_app
from batchyard.server.task_listener import task_listener, task_url
from batchyard.server.webhook_settings import Webhook
from batchyard.server.webhooks import WebhookThread
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction

log = logging.getLogger(__name__)

DEFAULT_NAME = "default"
"""The compute environment and the queue that a first start makes, so that the first submit works."""

_DAY_MS = 24 * 60 * 60 * 1000


class Yard:
    """A server that is ready to listen."""

    def __init__(self, configuration: Configuration) -> None:
        """Open the records and start the engine. Raises ConfigurationProblem or DatabaseProblem."""
        self._configuration = configuration
        self._folder = DataFolder(configuration.data)
        self._database = self._open_database()
        self._database.migrate()
        self.capacity = self._capacity()
        self._listener = task_listener(configuration.data)
        self._tokens = TaskTokens(self._folder.token_key())
        self._roles = RoleSource(configuration.roles)
        choice = choose_executor(configuration)
        log.info("the executor is %s: %s", choice.name, choice.why)
        executor = WithSecrets(choice.kind.make(configuration), resolver(secret_sources(configuration)))
        rules = IsolationRules(configuration.volumes, host_access=configuration.grants_host_access)
        clock = SystemClock()
        self._engine = Engine(
            self._database,
            executor,
            self.capacity,
            clock=clock,
            stop_grace_seconds=configuration.stop_grace_seconds,
            retention=self._retention(),
            launch_settings=LaunchSettings(
                isolation=rules if choice.kind.isolates else None,
                endpoint=TaskEndpoint(task_url(self._listener), self._tokens, self._roles.names),
                training=_training_site(configuration),
            ),
        )
        settings = Settings(
            account=configuration.account,
            array_size_max=configuration.array_size_max,
            submit_job_kib_max=configuration.submit_job_kib_max,
            phase_seconds=configuration.compatibility.phase_seconds,
            executor_name=executor.name,
            executor_note=choice.kind.note,
            token_key=self._folder.token_key(),
            training_instances=_training_instances(configuration),
            logs=logs_folder(configuration.data),
        )
        self._dispatch = OperationDispatch(self._database, self._engine, clock, settings)
        self._engine.start()
        self._engine.call(self._make_defaults, changes_resources=True).result()
        self._webhooks = [self._webhook(each) for each in configuration.webhooks]

    def serve(self, on_ready: Callable[[str, int], None]) -> None:
        """Listen until SIGTERM or SIGINT; then answer what is under way and leave running jobs to the supervisor."""
        chosen = self._configuration
        gate = Gate(chosen.auth.keys, chosen.limits.requests_per_second)
        streams = EventStreams(self._database, gate, self._dispatch.context)
        self._engine.history_watchers.append(streams.bell.ring)
        explanations = Explanations(self._dispatch, gate, lambda: self._engine.outlook)
        app = create_app(self._dispatch, gate=gate, routes=[streams.route, explanations.route])
        tasks = create_task_app(self._dispatch, self._tokens, self._roles)
        served = by_port(app, {self._listener.getsockname()[1]: tasks})
        gc.freeze()  # the service model stays for good; going over it in each full collection would halt all for 0.1 s
        listen.run(served, chosen.host, chosen.port, on_ready, streams.close, [self._listener])
        streams.wait_closed()

    def close(self) -> None:
        """Stop the engine and let the data folder go; jobs run on."""
        for webhook in self._webhooks:
            webhook.stop()
        self._engine.stop()
        self._dispatch.close()
        self._database.close()
        self._listener.close()
        self._folder.close()

    def _webhook(self, settings: Webhook) -> WebhookThread:
        webhook = WebhookThread(settings, self._database, self._engine, self._dispatch.context)
        self._engine.history_watchers.append(webhook.ring)
        webhook.start()
        return webhook

    def _open_database(self) -> Database:
        chosen = self._configuration
        if chosen.database is not None:
            return Database(chosen.database, synchronous=chosen.synchronous)
        return Database.at(chosen.data, synchronous=chosen.synchronous)

    def _capacity(self) -> Capacity:
        machine = machine_capacity()
        return Capacity(
            vcpus=self._configuration.max_vcpus or machine.vcpus,
            memory_mib=self._configuration.max_memory or machine.memory_mib,
            gpus=machine.gpus,
        )

    def _retention(self) -> Retention:
        days, logs = self._configuration.retention.finished_jobs_days, logs_folder(self._configuration.data)
        return Retention(None if days is None else round(days * _DAY_MS), partial(remove_logs, logs))

    def _make_defaults(self, tx: Transaction) -> None:
        """The default queue on the whole machine, at the first start only: what an operator deleted stays deleted."""
        if tx.engine_state.get("defaults made"):
            return
        context = self._dispatch.context(tx, "us-east-1")
        context = replace(context, settings=replace(context.settings, phase_seconds=0.0))
        create_compute_environment(
            context,
            {
                "computeEnvironmentName": DEFAULT_NAME,
                "type": "MANAGED",
                "computeResources": {
                    "type": "EC2",
                    "minvCpus": 0,
                    "maxvCpus": max(1, int(self.capacity.vcpus)),
                    "instanceTypes": ["optimal"],
                    "subnets": ["subnet-local"],
                    "securityGroupIds": [],
                    "instanceRole": "local",
                },
            },
        )
        create_job_queue(
            context,
            {
                "jobQueueName": DEFAULT_NAME,
                "priority": 1,
                "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": DEFAULT_NAME}],
            },
        )
        tx.engine_state.set("defaults made", "yes")


def _training_site(configuration: Configuration) -> TrainingSite:
    folders = {uri: str(Path(folder).expanduser()) for uri, folder in configuration.service_jobs.folders.items()}
    return TrainingSite(str(configuration.data / "training"), folders, configuration.account)


def _training_instances(configuration: Configuration) -> InstanceSizes:
    def size(instance: Instance) -> InstanceSize:
        return InstanceSize(instance.vcpus, instance.memory, instance.gpus)

    chosen = configuration.service_jobs
    by_type = {name: size(instance) for name, instance in chosen.instances.items()}
    return InstanceSizes(size(chosen.instance), by_type)
