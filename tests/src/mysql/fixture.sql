CREATE DATABASE app CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE DATABASE other CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
CREATE USER app@'%' IDENTIFIED BY 'origin-password';
GRANT ALL ON app.* TO app@'%';
GRANT ALL ON other.* TO app@'%';
CREATE USER second@'%' IDENTIFIED BY 'second-password';
GRANT ALL ON app.* TO second@'%';
CREATE USER nobody@'%' IDENTIFIED BY '';
GRANT SELECT ON app.* TO nobody@'%';
CREATE ROLE reader;
GRANT SELECT ON app.* TO reader;
GRANT reader TO app@'%';

USE other;
CREATE TABLE thing (name varchar(20));
INSERT INTO thing VALUES ('from other');

USE app;
CREATE TABLE thing (name varchar(20));
INSERT INTO thing VALUES ('from app');

CREATE TABLE digit (d int PRIMARY KEY);
INSERT INTO digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);

CREATE TABLE item (id int PRIMARY KEY, name varchar(50) NOT NULL, price decimal(10,2), made datetime, note text, extra json);
INSERT INTO item SELECT a.d * 10 + b.d + 1 AS n, concat('item ', a.d * 10 + b.d + 1), (a.d * 10 + b.d + 1) * 1.5,
  '2026-01-01 00:00:00' + INTERVAL (a.d * 10 + b.d + 1) HOUR, concat('a', a.d, ',b'), json_object('n', a.d * 10 + b.d + 1)
  FROM digit a, digit b ORDER BY n;

CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL CHECK (balance >= 0));
INSERT INTO account VALUES (1, 100), (2, 100);

CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (10, 1), (20, 2);

CREATE TABLE counter (id int AUTO_INCREMENT PRIMARY KEY, name varchar(50));

CREATE TABLE wide (id int PRIMARY KEY, filler text);
INSERT INTO wide SELECT a.d * 1000 + b.d * 100 + c.d * 10 + e.d AS n, repeat(char(65 + e.d), 1000)
  FROM digit a, digit b, digit c, digit e WHERE a.d < 3 ORDER BY n;

CREATE TABLE large (id int AUTO_INCREMENT PRIMARY KEY, body longblob);

CREATE TABLE kinds (
  id int PRIMARY KEY, t tinyint, tu tinyint unsigned, s smallint, m mediumint, i int, iu int unsigned, b bigint, bu bigint unsigned,
  f float, d double, n decimal(30,10), bits bit(10), da date, ti time(6), dt datetime(6), ts timestamp(6) NULL, y year,
  c char(5), v varchar(20), bi binary(3), vb varbinary(20), bl blob, te text, e enum('sad', 'ok', 'happy'), se set('a', 'b', 'c'), j json, g point
);
INSERT INTO kinds VALUES
  (1, -128, 255, -32768, -8388608, -2147483648, 4294967295, -9223372036854775808, 18446744073709551615,
   1.5, -2.25e100, 12345678901234567890.0123456789, b'1010101010', '2026-02-28', '-838:59:58.999999', '2026-12-31 23:59:59.123456',
   '2026-06-01 12:00:00.5', 2026, 'ab', 'straße', 'ab', 'x', 'blob', 'täxt', 'ok', 'a,c', '{"k": [1, "z"]}', point(1, 2)),
  (2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'0', '1000-01-01', '00:00:00', '1000-01-01 00:00:00', '1970-01-02 00:00:00', 1901, '', '', '', '', '', '', 'sad', '', '[]', point(0, 0)),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE legacy (id int PRIMARY KEY, name varchar(20)) ENGINE = MyISAM;
INSERT INTO legacy VALUES (1, 'one'), (2, 'two');

CREATE TABLE audited (id int PRIMARY KEY, name varchar(20));
CREATE TABLE audit (id int AUTO_INCREMENT PRIMARY KEY, what varchar(50));
CREATE TRIGGER note_insert AFTER INSERT ON audited FOR EACH ROW INSERT INTO audit (what) VALUES (concat('insert ', NEW.id));

CREATE VIEW cheap AS SELECT id, name, price FROM item WHERE price < 10;
CREATE VIEW clock AS SELECT id, now(6) AS seen FROM item WHERE id = 1;

DELIMITER //
CREATE DEFINER = app@'%' FUNCTION add_one(n int) RETURNS int DETERMINISTIC NO SQL RETURN n + 1//
CREATE DEFINER = app@'%' FUNCTION random_one() RETURNS int NOT DETERMINISTIC NO SQL RETURN 1//
CREATE DEFINER = app@'%' FUNCTION noted(n int) RETURNS int DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO audit (what) VALUES (concat('noted ', n)); RETURN n; END//
CREATE DEFINER = app@'%' PROCEDURE two_sets() BEGIN SELECT 1 AS one; SELECT id, name FROM item WHERE id < 3 ORDER BY id; END//
CREATE DEFINER = app@'%' PROCEDURE no_set() BEGIN DO 1; END//
CREATE DEFINER = app@'%' PROCEDURE touch(INOUT n int) BEGIN SET n = n + 1; END//
CREATE DEFINER = app@'%' PROCEDURE fail(text varchar(50)) BEGIN SELECT 'before' AS word; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = text, MYSQL_ERRNO = 1644; END//
CREATE DEFINER = app@'%' PROCEDURE complain(text varchar(50)) BEGIN SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = text; END//
CREATE DEFINER = app@'%' PROCEDURE rename_item(n int, word varchar(50)) BEGIN UPDATE item SET name = word WHERE id = n; END//
CREATE DEFINER = app@'%' PROCEDURE remember(n int) BEGIN SET @remembered = n; END//
CREATE DEFINER = app@'%' PROCEDURE keep_table() BEGIN CREATE TEMPORARY TABLE kept (a int); INSERT INTO kept VALUES (1); END//
CREATE DEFINER = app@'%' PROCEDURE hold_lock() BEGIN DO GET_LOCK('held', 10); END//
DELIMITER ;

ANALYZE TABLE digit, item, account, parent, child, counter, wide, kinds, audited, audit, thing, other.thing;
