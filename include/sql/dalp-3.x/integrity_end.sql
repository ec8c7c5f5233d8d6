-- Removes what integrity_begin.sql made; an extension that was there before stays.
drop schema if exists dalp_dr_checks cascade
