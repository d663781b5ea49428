export { type Nats, startNats } from './nats.ts';
export { freePorts } from './ports.ts';
export { type Postgres, startPostgres } from './postgres.ts';
export { binFolder, Child, until } from './process.ts';
