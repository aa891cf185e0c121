-- The oldest code, by the newest migration that it knows, which still works with this schema. Older code than that goes no further.
CREATE TABLE fortnight.schema_floor (
    single_row          boolean PRIMARY KEY DEFAULT true CHECK (single_row),
    oldest_code         text NOT NULL
);
INSERT INTO fortnight.schema_floor (oldest_code) VALUES ('0009');

-- What belongs to the database and not to a schema, so that no dump of our schemas holds it: a restore calls this.
CREATE FUNCTION fortnight.settle_database() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
    -- Temporary tables, with which a reader could fill the disk, only for the service, which stages deliveries there.
    EXECUTE format('REVOKE TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT TEMPORARY, CONNECT ON DATABASE %I TO fortnight_owner, fortnight_writer', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO fortnight_reader', current_database());
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES FOR ROLE fortnight_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    -- Large objects are another way to fill the disk; only a superuser can close it.
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
            pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
    END IF;
END;
$$;

-- As before, and sequences too: the service backs itself up, so it may read all that a dump reads, months to come included.
CREATE OR REPLACE FUNCTION fortnight.settle_access() RETURNS void
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
    GRANT SELECT ON ALL SEQUENCES IN SCHEMA fortnight TO fortnight_writer;
    IF has_table_privilege('public.schema_version', 'SELECT WITH GRANT OPTION') THEN
        GRANT ALL ON public.schema_version TO fortnight_owner;
        GRANT SELECT ON public.schema_version TO fortnight_writer;
    END IF;
END;
$$;
ALTER DEFAULT PRIVILEGES FOR ROLE fortnight_owner IN SCHEMA fortnight GRANT SELECT ON TABLES TO fortnight_writer;
SELECT fortnight.settle_access();
