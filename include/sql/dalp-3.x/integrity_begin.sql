-- What the checks of pages need, in a schema of its own so that it can be removed again; superuser.
create schema if not exists dalp_dr_checks;
create extension if not exists amcheck schema dalp_dr_checks;
create extension if not exists pg_prewarm schema dalp_dr_checks
