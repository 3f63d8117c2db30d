-- The source of the example: offers for 100,000 users, and a page.
CREATE TABLE offers (
    user_id bigint PRIMARY KEY,
    title text NOT NULL,
    price numeric(8, 2) NOT NULL,
    until timestamptz NOT NULL
);
INSERT INTO offers
SELECT n, 'Offer ' || n, 5 + n % 40 + 0.99, now() + interval '7 days'
FROM generate_series(1, 100000) AS n;

CREATE TABLE pages (slug text PRIMARY KEY, body text NOT NULL, published boolean NOT NULL);
INSERT INTO pages VALUES ('winter', 'Winter is here: 20 % off everything warm.', true);
