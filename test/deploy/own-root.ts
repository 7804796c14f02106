import { spawnSync } from 'node:child_process'
import { cp, mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { findOnPath, searchPathOf } from '../../src/local/nats-server.ts'

// A root directory of its own for processes, without an engine of containers: mounts that only they see, and `chroot`.
// In the place of a base image they have this machine's /usr, which they cannot write, with the suite's Node and npm.

/** The folders of programs, here and in such a root: `chroot` is in one that not every PATH names. */
const PATH = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'

/** Only root may mount and change its root directory, and not in every sandbox. */
export const canHaveOwnRoot =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', 'sh', '-c', 'mount --bind /usr /mnt && chroot / setpriv --version'], {
    env: { PATH },
  }).status === 0

/** What of /etc says who is who, and what is where. */
const ETC = ['passwd', 'group', 'hosts', 'nsswitch.conf', 'resolv.conf']

/** Where npm is for who builds, and what it has installed already. */
const NPM = '/opt/npm'
const INSTALLED = '/opt/project'

/** In the place of `npm ci`: nothing is fetched. npm says which folders it would install; they lie here already. */
const NPM_CI = `#!/bin/sh
set -e
test "$1" = ci
shift
here="$PWD"
cd ${INSTALLED}
node ${NPM}/bin/npm-cli.js ls --all --parseable --long "$@" |
  sed -n '/:EXTRANEOUS/d; s|^${INSTALLED}/\\([^:]*\\):.*|\\1|p' | while read -r folder; do
  mkdir -p "$here/$folder"
  find "$folder" -mindepth 1 -maxdepth 1 ! -name node_modules -exec cp -R -t "$here/$folder" {} +
done
`

/** Makes a root in an empty folder: what `enter` mounts has its place there. */
export const makeRoot = async (root: string): Promise<void> => {
  const folders = [
    'usr',
    'etc',
    'proc',
    'dev',
    'tmp',
    'root',
    'var/lib',
    NPM,
    INSTALLED,
    'local/bin',
    'local/lib',
  ]
  for (const name of folders) await mkdir(join(root, name), { recursive: true })
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(join('usr', name), join(root, name))
  for (const name of ETC)
    await cp(join('/etc', name), join(root, 'etc', name), { dereference: true, force: true }).catch(
      () => undefined,
    )
  await writeFile(join(root, 'local', 'bin', 'node'), '')
  await writeFile(join(root, 'local', 'bin', 'npm'), NPM_CI, { mode: 0o755 })
}

/** `$1` is the root. What is mounted goes with the process that is started. */
const MOUNTS = `set -e
root="$1"; shift
see() { mount --bind "$1" "$root$2"; mount -o remount,bind,ro "$root$2"; }
mount --bind "$root" "$root"
see /usr /usr
mount --bind "$root/local" "$root/usr/local"
see "$NODE_BINARY" /usr/local/bin/node
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
`

const FOR_BUILD = `see "$NPM_FOLDER" ${NPM}
see "$PROJECT" ${INSTALLED}
`

/** Then nothing can be written but what `$WRITABLE` names: folders there, each with the one here that it stands for. */
const FOR_RUN = `mount -o remount,bind,ro "$root/usr/local"
mount -o remount,bind,ro "$root"
for place in $WRITABLE; do mount --bind "\${place#*=}" "$root\${place%%=*}"; done
`

/** As a container has it: no capability, and none to be had. */
const ENTER = `unset NODE_BINARY NPM_FOLDER PROJECT WRITABLE
user="$1" folder="$2"; shift 2
exec chroot "$root" setpriv --reuid "\${user%:*}" --regid "\${user#*:}" --clear-groups --no-new-privs env -C "$folder" "$@"
`

/** What to start so that `words` run in the root: a file and its arguments, and what must be in its environment. */
export type Entrance = { file: string; args: string[]; environment: Record<string, string> }

type Inside = { root: string; user: string; folder: string; words: readonly string[] }

const enter = (script: string, { root, user, folder, words }: Inside): Omit<Entrance, 'environment'> => ({
  file: 'unshare',
  args: ['--mount', 'sh', '-c', `${MOUNTS}${script}${ENTER}`, 'sh', root, user, folder, ...words],
})

const NODE_BINARY = await realpath(process.execPath)

/** Runs in a root that may be written, with npm, which finds what it would fetch in `project`. */
export const enterToBuild = async (inside: Inside, project: string): Promise<Entrance> => {
  const npm = await findOnPath('npm', searchPathOf(process.env))
  if (npm === null) throw new Error('there is no npm')
  const folder = dirname(dirname(await realpath(npm)))
  return {
    ...enter(FOR_BUILD, inside),
    environment: { PATH, HOME: '/tmp', NODE_BINARY, NPM_FOLDER: folder, PROJECT: project },
  }
}

/** Runs in a root that cannot be written, but for `writable`: folders of the root, each with the one that it stands for. */
export const enterToRun = (inside: Inside, writable: Readonly<Record<string, string>>): Entrance => ({
  ...enter(FOR_RUN, inside),
  environment: {
    PATH,
    NODE_BINARY,
    WRITABLE: Object.entries(writable)
      .map(([there, here]) => `${there}=${here}`)
      .join(' '),
  },
})
