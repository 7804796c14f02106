import { setTimeout as pause } from 'node:timers/promises'
import { answerWith } from '../support/receiver.ts'
import type { Fault } from './plan.ts'
import { letTimePass } from './quiet.ts'
import type { OwnServices } from './services.ts'
import type { FaultStage } from './stage.ts'

/** Makes one fault happen; resolves when it is over. Faults of one part that overlap follow one another. */
export const createFaults = (options: { services: OwnServices; stage: FaultStage }) => {
  const { services, stage } = options
  const { postgres, nats } = services
  const scheduleAttempts = createFairQueue()

  const downFor = async (
    forMs: number,
    down: () => Promise<void>,
    up: () => Promise<void>,
  ): Promise<void> => {
    await down()
    await pause(forMs)
    await up()
  }

  const natsDown = (forMs: number, meanwhile: () => Promise<void>): Promise<void> =>
    scheduleAttempts('nats', () =>
      downFor(
        forMs,
        async () => {
          await nats.end('kill')
          await meanwhile()
        },
        () => nats.start(),
      ),
    )

  return (fault: Fault): Promise<void> => {
    switch (fault.kind) {
      case 'kill':
        return scheduleAttempts(fault.process, () =>
          downFor(
            fault.forMs,
            () => stage.kill(fault.process),
            () => stage.start(fault.process),
          ),
        )
      case 'pause':
        return scheduleAttempts(fault.process, async () => {
          stage.signal(fault.process, 'SIGSTOP')
          await pause(fault.forMs)
          stage.signal(fault.process, 'SIGCONT')
        })
      case 'kill_postgres':
        return scheduleAttempts('postgres', () =>
          downFor(
            fault.forMs,
            () => postgres.end('kill'),
            () => postgres.start(),
          ),
        )
      case 'restart_postgres':
        return scheduleAttempts('postgres', () =>
          downFor(
            fault.forMs,
            () => postgres.end('stop'),
            () => postgres.start(),
          ),
        )
      case 'stop_nats':
        return natsDown(fault.forMs, () => nats.keepCopy())
      case 'restore_nats':
        return natsDown(fault.forMs, () => nats.restoreCopy())
      case 'truncate_nats':
        return natsDown(fault.forMs, () => nats.truncateBlocks())
      case 'delete_nats':
        return natsDown(fault.forMs, () => nats.forget())
      case 'cut':
        stage.links[fault.link].cut()
        return Promise.resolve()
      case 'block':
        return scheduleAttempts(`link ${fault.link}`, async () => {
          stage.links[fault.link].block()
          await pause(fault.forMs)
          stage.links[fault.link].open()
        })
      case 'endpoint_fails':
        return scheduleAttempts('endpoint', async () => {
          stage.world.receiver.behave(answerWith(500))
          await pause(fault.forMs)
          stage.world.receiver.behave(answerWith(200))
        })
      case 'jump_clock':
        // While Postgres is away there is no clock to jump.
        return letTimePass(stage.database, fault.seconds).catch(() => undefined)
      default:
        return fault satisfies never
    }
  }
}

const createFairQueue = () => {
  const last = new Map<string, Promise<void>>()
  return (of: string, work: () => Promise<void>): Promise<void> => {
    const turn = (last.get(of) ?? Promise.resolve()).then(work)
    last.set(of, turn)
    return turn
  }
}
