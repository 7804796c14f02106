import { Command, Option } from 'commander'
import { benchAccept } from './accept.ts'
import { benchDeliver } from './deliver.ts'
import { benchFlood } from './flood.ts'
import { benchGrowth } from './growth.ts'
import { benchIsolation } from './isolation.ts'
import { benchLatency } from './latency.ts'
import { benchMemory } from './memory.ts'
import { benchOverload } from './overload.ts'
import { benchSettle } from './settle.ts'
import { benchSurge } from './surge.ts'
import { benchWhole } from './whole.ts'

const wholeNumber = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`${text} must be a whole number from 1 up`)
  return value
}

const wholeNumbers = (text: string): number[] => text.split(',').map(wholeNumber)

const countFromZero = (text: string): number => (text === '0' ? 0 : wholeNumber(text))

const program = new Command('bench').description(
  'how fast it is, as ratios against yardsticks of the same run',
)
program
  .command('accept')
  .description(
    'stk_push with a durable commit each, beside a bare echo and a server with one INSERT a request',
  )
  .option('--rounds <count>', 'how often each server has its turn', wholeNumber, 5)
  .option('--seconds <count>', 'how long a turn is, seconds', wholeNumber, 8)
  .action(benchAccept)
program
  .command('settle')
  .description(
    'callbacks to settled payments with their deliveries, beside a bare echo; answers with Postgres and without',
  )
  .option('--rounds <count>', 'how often each server has its turn', wholeNumber, 3)
  .option('--seconds <count>', 'how long a turn is, seconds', wholeNumber, 8)
  .action(benchSettle)
program
  .command('deliver')
  .description('deliveries of one dispatcher, each recorded durably, beside a bare loop of POSTs')
  .option('--rounds <count>', 'how often each has its turn', wholeNumber, 5)
  .option('--count <count>', 'deliveries in a turn', wholeNumber, 40_000)
  .action(benchDeliver)
program
  .command('latency')
  .description(
    'from the commit of an outcome to its first byte at the receiver; the same when JetStream loses its stream',
  )
  .option('--rates <list>', 'outcomes a second, separated by commas', wholeNumbers, [200, 1000])
  .option('--seconds <count>', 'how long each load is, seconds', wholeNumber, 30)
  .action(benchLatency)
program
  .command('isolation')
  .description('the times of 46 partners, alone and beside four in trouble')
  .option('--rounds <count>', 'how often each has its turn', wholeNumber, 3)
  .option('--seconds <count>', 'how long a turn is, seconds', wholeNumber, 40)
  .action(benchIsolation)
program
  .command('flood')
  .description('a partner’s times, alone and beside a flood of requests with keys that nobody has')
  .option('--requests <count>', 'how many the flood has', wholeNumber, 100_000)
  .option('--seconds <count>', 'in how long', wholeNumber, 20)
  .option('--per-second <count>', 'the partner’s requests a second', wholeNumber, 50)
  .option('--rounds <count>', 'how often', wholeNumber, 1)
  .action(benchFlood)
program
  .command('whole')
  .description('payments from request to delivered, beside an Express application with BullMQ')
  .option('--rounds <count>', 'how often each has its turn', wholeNumber, 2)
  .addOption(new Option('--only <system>', 'measures one of the two alone').choices(['peer', 'gateway']))
  .option('--count <count>', 'payments in a closed loop', wholeNumber, 4_000)
  .option(
    '--clients <count>',
    'how many of them are under way at once; by default 256, more where Daraja is slow',
    wholeNumber,
  )
  .option('--seconds <count>', 'how long each steady load is, seconds; 0 for none', countFromZero, 10)
  .option('--daraja-ms <count>', 'how long Daraja takes to answer a push, ms', countFromZero, 5)
  .option('--payer-ms <count>', 'how long the payer then takes to pay, ms', countFromZero, 20)
  .option(
    '--pushes-at-once <count>',
    'pushes to Daraja at once; by default what --daraja-ms needs, and of the gateway its own default',
    wholeNumber,
  )
  .option('--json', 'print all figures of all rounds as JSON instead of tables')
  .option(
    '--profile <folder>',
    'write profiles of serve and dispatch there, and print which statements took most time',
  )
  .option('--is-fresh', 'with a Postgres that has not run before: for a try, its times do not count')
  .action(benchWhole)
program
  .command('overload')
  .description('more payments than fit, by partners that repeat what is refused as their guide says')
  .option(
    '--times <list>',
    'how many times what fits is offered, separated by commas',
    wholeNumbers,
    [1, 2, 3, 5],
  )
  .option('--seconds <count>', 'for how long each, seconds', wholeNumber, 15)
  .option('--after <count>', 'for how long its end is watched, seconds', wholeNumber, 30)
  .option('--count <count>', 'payments in the closed loop that finds out what fits', wholeNumber, 4_000)
  .option('--fits <count>', 'payments a second that fit; by default it is found out', wholeNumber)
  .option('--daraja-ms <count>', 'how long Daraja takes to answer a push, ms', countFromZero, 5)
  .option('--payer-ms <count>', 'how long the payer then takes to pay, ms', countFromZero, 20)
  .option('--pushes-at-once <count>', 'pushes to Daraja at once', wholeNumber, 32)
  .option('--is-fresh', 'with a Postgres that has not run before: for a try, its times do not count')
  .action(benchOverload)
program
  .command('surge')
  .description('payments at a steady rate while Daraja takes its time for every push')
  .option('--per-second <count>', 'payments a second', wholeNumber, 200)
  .option('--seconds <count>', 'for how long', wholeNumber, 60)
  .option(
    '--daraja-ms <count>',
    'how long Daraja takes to answer a push, and the payer to pay, ms',
    wholeNumber,
    1_000,
  )
  .option('--concurrency <count>', 'SUBMIT_CONCURRENCY; by default what serve has', String)
  .action(benchSurge)
program
  .command('growth')
  .description('payments and reads on databases of different sizes, which are to cost the same')
  .option(
    '--sizes <list>',
    'payments that are there already, the smallest first, separated by commas',
    (text) => text.split(',').map(countFromZero),
    [0, 1_000_000],
  )
  .option('--rounds <count>', 'how often each has its turn', wholeNumber, 3)
  .option('--per-second <count>', 'payments, and reads, a second', wholeNumber, 100)
  .option('--seconds <count>', 'how long each load is, seconds', wholeNumber, 15)
  .action(benchGrowth)
program
  .command('memory')
  .description('memory and CPU in each tenth of many payments through one serve and one dispatch')
  .option('--payments <count>', 'how many', wholeNumber, 1_000_000)
  .option('--clients <count>', 'how many of them are under way at once', wholeNumber, 64)
  .option('--snapshot', 'while another session holds a snapshot, so that no dead row can be removed')
  .action(benchMemory)
await program.parseAsync()
