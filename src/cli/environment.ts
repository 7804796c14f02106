/** The environment of a process, as `process.env` has it. */
export type Environment = Record<string, string | undefined>

/** True for a process that `npm start` began: it ends when its parent is gone. */
export const hasParent = (environment: Environment): boolean => environment['GATEWAY_WITH_PARENT'] === '1'
