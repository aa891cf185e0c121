-- Run by psql at the end of a restore, in its transaction; the dump has emptied the search path. A schema of before 0009 has less to
-- settle: the migrations that follow do the rest.
CREATE TABLE public.schema_version (version_num varchar(32) NOT NULL, CONSTRAINT schema_version_pkc PRIMARY KEY (version_num));
INSERT INTO public.schema_version (version_num) VALUES (:'revision');
DO $$
BEGIN
    IF pg_catalog.to_regprocedure('fortnight.settle_access()') IS NOT NULL THEN
        PERFORM fortnight.settle_access();
    END IF;
    IF pg_catalog.to_regprocedure('fortnight.settle_database()') IS NOT NULL THEN
        PERFORM fortnight.settle_database();
    END IF;
END;
$$;
