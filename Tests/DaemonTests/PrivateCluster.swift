import Foundation
import Glibc
import Postgres

/// A PostgreSQL server of the test's own, in a temporary folder, reached by unix socket only.
///
/// As root, which PostgreSQL refuses to run as, it runs as the system user `postgres`.
final class PrivateCluster: Sendable {
    let folder: String
    private let binaries: String

    /// Where the server programs are; nil when this machine has none.
    static let binaries: String? = {
        let root = "/usr/lib/postgresql"
        let majors = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newest = majors.compactMap { Int($0) }.max()
        return newest.map { "\(root)/\($0)/bin" }
    }()

    init() throws {
        guard let binaries = Self.binaries else { throw Failed(command: "find PostgreSQL", status: -1) }
        self.binaries = binaries
        folder = NSTemporaryDirectory() + "concierge-daemon-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        if getuid() == 0 { try Self.run(["chown", "postgres", folder]) }
        try server([
            "initdb", "-D", folder + "/data", "--username=postgres", "--auth=trust", "--no-sync", "--locale=C",
            "--encoding=UTF8",
        ])
        try start()
    }

    /// One server for all tests, made when the first one asks and gone with the process.
    static let shared: Result<PrivateCluster, any Error> = Result {
        let cluster = try PrivateCluster()
        try Connection.connect(cluster.conninfo()).execute(script: "create role concierge_worker")
        atexit { if case .success(let cluster) = PrivateCluster.shared { cluster.remove() } }
        return cluster
    }

    private func remove() {
        try? stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func conninfo(database: String = "postgres") -> String {
        "host=\(folder) port=5432 user=postgres dbname=\(database)"
    }

    func start() throws { try control("start") }
    func stop() throws { try control("stop") }
    func restart() throws { try control("restart") }

    private func control(_ verb: String) throws {
        let options = "-c listen_addresses= -c unix_socket_directories=\(folder) -c fsync=off -c log_min_messages=fatal"
        try server([
            "pg_ctl", "-D", folder + "/data", "-l", folder + "/log", "-m", "immediate", "-w", "-o", options, verb,
        ])
    }

    private func server(_ command: [String]) throws {
        let command = ["\(binaries)/\(command[0])"] + command.dropFirst()
        try Self.run(getuid() == 0 ? ["runuser", "-u", "postgres", "--"] + command : command)
    }

    struct Failed: Error {
        let command: String
        let status: Int32
    }

    private static func run(_ command: [String]) throws {
        let process = try ChildProcess(["/usr/bin/env", "-C", "/"] + command)
        let status = process.wait()
        guard status == 0 else { throw Failed(command: command.joined(separator: " "), status: status) }
    }
}

/// A process with nothing to read and nobody to read what it writes (posix_spawn).
///
/// Not Foundation's Process: that one waits for the grandchildren too, and a server is one that stays.
struct ChildProcess {
    let pid: pid_t

    init(_ command: [String]) throws {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        for descriptor in Int32(0)...2 {
            posix_spawn_file_actions_addopen(&files, descriptor, "/dev/null", O_RDWR, 0)
        }
        var arguments = command.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, command[0], &files, nil, &arguments, environ)
        guard failure == 0 else { throw PrivateCluster.Failed(command: command[0], status: failure) }
        self.pid = pid
    }

    /// The exit code; the negated signal for one that was killed.
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    }
}

/// The queue as the daemon sees it, in its smallest form.
///
/// `queue.topic` plays the materialized view: dirty when `wanted` is ahead of `made`. A payload's "seconds"
/// make its continuation slow, "error" makes it raise.
let fakeQueue = """
    create schema queue;
    grant usage on schema queue to concierge_worker;
    create table queue.topic (
        wanted int not null default 0, made int not null default 0, seconds float not null default 0);
    insert into queue.topic default values;
    create table queue.job (
        job_id bigint generated always as identity primary key, token bigint not null default 0, kind text not null,
        payload jsonb not null, leased_until timestamptz, result jsonb, error text, worker text);
    grant select, update on queue.topic, queue.job to concierge_worker;

    create function queue.channels() returns table (channel text)
        language sql as $$ values ('queue_job'), ('Odd "name"') $$;
    create function queue.look(kinds text[]) returns table (refresh_calls text[], jobs_due int, next_due_in float)
        language sql as $$
        select array(select 'call queue.refresh()' from queue.topic where wanted > made),
            (select count(*)::int from queue.job where kind = any (kinds) and result is null and error is null
                and coalesce(leased_until < now(), true)), null::float $$;
    create procedure queue.refresh() language plpgsql as $$
        begin
            perform pg_advisory_lock(7);
            perform pg_sleep((select seconds from queue.topic));
            update queue.topic set made = wanted;
            commit;
            perform pg_advisory_unlock(7);
        end $$;
    create function queue.claim(worker text, kinds text[], size int)
        returns table (job_id bigint, token bigint, kind text, payload jsonb) language sql as $$
        update queue.job as j set token = j.token + 1, leased_until = now() + interval '15 s', worker = claim.worker
        where j.job_id in (
            select d.job_id from queue.job as d where d.result is null and d.error is null
                and coalesce(d.leased_until < now(), true) and d.kind = any (kinds)
            order by 1 limit size for update skip locked)
        returning j.job_id, j.token, j.kind, j.payload $$;
    create function queue.extend(id bigint, held bigint) returns boolean language sql as $$
        update queue.job set leased_until = now() + interval '15 s'
        where job_id = id and token = held and result is null and error is null returning true $$;
    create function queue.finish(id bigint, held bigint, outcome jsonb) returns boolean language plpgsql as $$
        begin
            update queue.job set result = outcome where job_id = id and token = held and result is null;
            if not found then return false; end if;
            perform pg_sleep((payload ->> 'seconds')::float) from queue.job where job_id = id;
            if (select payload ? 'error' from queue.job where job_id = id) then raise 'no such person'; end if;
            return true;
        end $$;
    create function queue.fail(id bigint, held bigint, sentence text) returns boolean language sql as $$
        update queue.job set error = sentence where job_id = id and token = held returning true $$;
    create function queue.notify() returns trigger language plpgsql as $$
        begin perform pg_notify(tg_argv[0], ''); return null; end $$;
    create trigger notify after insert on queue.job for each statement execute function queue.notify('queue_job');
    create trigger notify after update of wanted on queue.topic
        for each statement execute function queue.notify('Odd "name"');
    """
