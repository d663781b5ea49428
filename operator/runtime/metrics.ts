// Metrics under controller-runtime's and client-go's exact names, so that the dashboards people have work unchanged.
import { Counter, Gauge, Histogram } from 'prom-client';

const WORK_SECONDS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000];
const RECONCILE_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5,
  1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
const REQUEST_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

const counter = (name: string, help: string, ...labelNames: string[]) =>
  new Counter({ name, help, labelNames });
const gauge = (name: string, help: string, ...labelNames: string[]) => new Gauge({ name, help, labelNames });
const histogram = (name: string, help: string, buckets: number[], ...labelNames: string[]) =>
  new Histogram({ name, help, buckets, labelNames });

export const requests = {
  total: counter(
    'rest_client_requests_total',
    'Number of HTTP requests, partitioned by status code, method, and host.',
    'code',
    'method',
    'host',
  ),
  seconds: histogram(
    'rest_client_request_duration_seconds',
    'Request latency in seconds. Broken down by verb and host.',
    REQUEST_SECONDS,
    'verb',
    'host',
  ),
};

export const queues = {
  depth: gauge('workqueue_depth', 'Current depth of workqueue.', 'name', 'controller'),
  adds: counter('workqueue_adds_total', 'Total number of adds handled by workqueue.', 'name', 'controller'),
  waited: histogram(
    'workqueue_queue_duration_seconds',
    'How long in seconds an item stays in workqueue before being requested.',
    WORK_SECONDS,
    'name',
    'controller',
  ),
  worked: histogram(
    'workqueue_work_duration_seconds',
    'How long in seconds processing an item from workqueue takes.',
    WORK_SECONDS,
    'name',
    'controller',
  ),
  unfinished: gauge(
    'workqueue_unfinished_work_seconds',
    'How many seconds of work is in progress and has not been observed by work_duration yet.',
    'name',
    'controller',
  ),
  longest: gauge(
    'workqueue_longest_running_processor_seconds',
    'How many seconds the longest running processor of workqueue has been running.',
    'name',
    'controller',
  ),
  retries: counter(
    'workqueue_retries_total',
    'Total number of retries handled by workqueue.',
    'name',
    'controller',
  ),
};

export const reconciles = {
  total: counter(
    'controller_runtime_reconcile_total',
    'Total number of reconciliations per controller.',
    'controller',
    'result',
  ),
  errors: counter(
    'controller_runtime_reconcile_errors_total',
    'Total number of reconciliation errors per controller.',
    'controller',
  ),
  terminal: counter(
    'controller_runtime_terminal_reconcile_errors_total',
    'Total number of terminal reconciliation errors per controller.',
    'controller',
  ),
  panics: counter(
    'controller_runtime_reconcile_panics_total',
    'Total number of reconciliation panics per controller.',
    'controller',
  ),
  timeouts: counter(
    'controller_runtime_reconcile_timeouts_total',
    'Total number of reconciliation timeouts per controller.',
    'controller',
  ),
  seconds: histogram(
    'controller_runtime_reconcile_time_seconds',
    'Length of time per reconciliation per controller.',
    RECONCILE_SECONDS,
    'controller',
  ),
  active: gauge(
    'controller_runtime_active_workers',
    'Number of currently used workers per controller.',
    'controller',
  ),
  maximum: gauge(
    'controller_runtime_max_concurrent_reconciles',
    'Maximum number of concurrent reconciles per controller.',
    'controller',
  ),
};

export const watches = {
  relists: counter(
    'postfleet_watch_relists_total',
    'Complete lists a watch began with or fell back to.',
    'watch',
  ),
  failures: counter('postfleet_watch_failures_total', 'Lists and watches that ended in an error.', 'watch'),
};

export const leadership = gauge(
  'leader_election_master_status',
  'Whether this process is the leader.',
  'name',
);
