-- An issue becomes visible through its proof and in no other way, not even for the service.
ALTER FUNCTION fortnight.make_ready(bigint) SECURITY DEFINER;

-- A reader may lift any time limit of the session: SET cannot be forbidden. So whoever runs too long is ended from outside. The owner is
-- a member of every reader's login that 'fortnight access' made, and may therefore see and end its sessions; of other logins only what a
-- member of pg_signal_backend and pg_read_all_stats may.
CREATE FUNCTION fortnight.end_long_readers("limit" interval)
RETURNS TABLE (pid integer, login text, seconds double precision, ended boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    session record;
BEGIN
    FOR session IN
        SELECT a.pid, a.usename, r.oid, a.state IS NULL AS hidden,
               extract(epoch FROM clock_timestamp()
                   - CASE WHEN a.state = 'active' THEN least(a.xact_start, a.query_start) ELSE a.xact_start END) AS age
        FROM pg_stat_activity AS a
        JOIN pg_roles AS r ON r.oid = a.usesysid
        WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND NOT r.rolsuper
          AND pg_has_role(r.oid, 'fortnight_reader', 'MEMBER') AND NOT pg_has_role(r.oid, 'fortnight_writer', 'MEMBER')
          AND NOT pg_has_role(r.oid, 'fortnight_owner', 'MEMBER')
    LOOP
        CONTINUE WHEN NOT session.hidden AND coalesce(session.age <= extract(epoch FROM end_long_readers."limit"), true);
        pid := session.pid;
        login := session.usename;
        seconds := session.age;
        BEGIN
            ended := NOT session.hidden AND pg_terminate_backend(session.pid);
        EXCEPTION WHEN insufficient_privilege THEN
            ended := false;
        END;
        RETURN NEXT;
    END LOOP;
END;
$$;

-- Called after every migration by its login: what it made belongs to the owner, consumers may read all that is published, and nobody
-- else may call anything.
CREATE FUNCTION fortnight.settle_access() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    thing record;
BEGIN
    -- Views before tables, and those made last first, as a reader locks them: in another order, readers and this would wait for each other.
    FOR thing IN
        SELECT format('SCHEMA %I', nspname) AS name, 1 AS turn, oid AS age FROM pg_namespace
        WHERE nspname IN ('fortnight', 'published') AND nspowner <> 'fortnight_owner'::regrole
        UNION ALL
        SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.oid::regclass),
               CASE c.relkind WHEN 'v' THEN 2 ELSE 3 END, c.oid
        FROM pg_class AS c
        WHERE c.relnamespace IN ('fortnight'::regnamespace, 'published'::regnamespace) AND c.relkind IN ('r', 'p', 'v')
          AND c.relowner <> 'fortnight_owner'::regrole
        UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure), 4, p.oid
        FROM pg_proc AS p
        WHERE p.pronamespace IN ('fortnight'::regnamespace, 'published'::regnamespace) AND p.proowner <> 'fortnight_owner'::regrole
        ORDER BY turn, age DESC
    LOOP
        EXECUTE format('ALTER %s OWNER TO fortnight_owner', thing.name);
    END LOOP;
    REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA fortnight, published FROM PUBLIC;
    GRANT SELECT ON ALL TABLES IN SCHEMA published TO fortnight_reader, fortnight_writer;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA published TO fortnight_reader, fortnight_writer;
    GRANT SELECT ON ALL TABLES IN SCHEMA fortnight TO fortnight_writer;
    IF has_table_privilege('public.schema_version', 'SELECT WITH GRANT OPTION') THEN
        GRANT ALL ON public.schema_version TO fortnight_owner;
        GRANT SELECT ON public.schema_version TO fortnight_writer;
    END IF;
END;
$$;
SELECT fortnight.settle_access();
ALTER DEFAULT PRIVILEGES FOR ROLE fortnight_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

GRANT USAGE ON SCHEMA published TO fortnight_reader, fortnight_writer;
GRANT USAGE ON SCHEMA fortnight TO fortnight_writer;

-- What the daily service writes. Issues and their values are only ever added; readings are dated again, or dropped as repeated, by an
-- ingest out of turn. Columns where few may change.
GRANT INSERT ON fortnight.series, fortnight.series_lock, fortnight.ingest_run, fortnight.reading, fortnight.quarantine, fortnight.gap,
    fortnight.correction, fortnight.backfill, fortnight.model_version, fortnight.validation_score, fortnight.promotion,
    fortnight.forecast_value, fortnight.forecast_path, fortnight.model_file, fortnight.alert, fortnight.silence, fortnight.notification,
    fortnight.drift_action, fortnight.issue_hold, fortnight.predecessor_value TO fortnight_writer;
GRANT UPDATE (name, region, publication_delay, source, interval_length) ON fortnight.series TO fortnight_writer;
GRANT UPDATE (rows_new, rows_corrected, rows_quarantined, missing) ON fortnight.ingest_run TO fortnight_writer;
GRANT UPDATE (known_at) ON fortnight.reading TO fortnight_writer;
GRANT UPDATE (released_by) ON fortnight.quarantine TO fortnight_writer;
GRANT UPDATE (times_asked, last_asked_by, healed_by) ON fortnight.gap TO fortnight_writer;
GRANT UPDATE (alias_settled_at) ON fortnight.model_version TO fortnight_writer;
GRANT UPDATE ON fortnight.series_lock, fortnight.backfill, fortnight.model_file, fortnight.alert, fortnight.silence, fortnight.notification,
    fortnight.drift_action TO fortnight_writer;
GRANT DELETE ON fortnight.reading, fortnight.backfill, fortnight.forecast_path, fortnight.model_file TO fortnight_writer;
GRANT EXECUTE ON FUNCTION fortnight.ensure_month(timestamptz), fortnight.make_ready(bigint), fortnight.end_long_readers(interval)
    TO fortnight_writer;
DO $$
DECLARE
    columns text;
    name text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ') INTO columns
    FROM pg_attribute
    WHERE attrelid = 'fortnight.forecast_issue'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('issue_id', 'ready_at');
    EXECUTE format('GRANT INSERT (%s) ON fortnight.forecast_issue TO fortnight_writer', columns);
    -- Tables that came between: added to and changed, nothing is dropped.
    FOR name IN
        SELECT c.relname FROM pg_class AS c
        WHERE c.relnamespace = 'fortnight'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND NOT has_any_column_privilege('fortnight_writer', c.oid, 'INSERT') AND c.relname <> 'forecast_month'
    LOOP
        EXECUTE format('GRANT INSERT, UPDATE ON fortnight.%I TO fortnight_writer', name);
    END LOOP;
    -- Temporary tables, with which a reader could fill the disk, only for the service, which stages deliveries there.
    EXECUTE format('REVOKE TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT TEMPORARY, CONNECT ON DATABASE %I TO fortnight_owner, fortnight_writer', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO fortnight_reader', current_database());
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    -- Large objects are another way to fill the disk; only a superuser can close it.
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
            pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
    END IF;
END;
$$;
