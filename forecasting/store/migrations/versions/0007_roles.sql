-- Three group roles, which belong to the whole cluster: the owner of everything, the daily service, and those who read. Nobody logs in as
-- one of them; logins are members, made with 'fortnight access'.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['fortnight_owner', 'fortnight_writer', 'fortnight_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;  -- a migration of another database was quicker
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('it cannot create the role %s', wanted),
                        HINT = format('as a superuser: ALTER ROLE %I CREATEROLE; or create fortnight_owner, fortnight_writer and '
                                      'fortnight_reader yourself and GRANT them to %1$I WITH ADMIN OPTION', current_user);
            END;
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'fortnight_owner', 'USAGE') THEN
        BEGIN
            GRANT fortnight_owner TO CURRENT_USER;
        EXCEPTION
            WHEN unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'it is no member of fortnight_owner',
                    HINT = format('as a superuser: GRANT fortnight_owner, fortnight_writer, fortnight_reader TO %I WITH ADMIN OPTION',
                                  current_user);
        END;
    END IF;
    IF NOT (SELECT pg_has_role(current_user, datdba, 'USAGE') FROM pg_database WHERE datname = current_database()) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('it does not own the database %s', current_database()),
            HINT = format('ALTER DATABASE %I OWNER TO %I', current_database(), current_user);
    END IF;
END;
$$;
