SET foreign_key_checks = 0;
CREATE TABLE `author` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(120) NOT NULL,
  `born` date DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `book` (
  `id` int NOT NULL AUTO_INCREMENT,
  `isbn` varchar(13) NOT NULL,
  `title` varchar(200) NOT NULL,
  `pages` int NOT NULL,
  `price` decimal(8,2) DEFAULT NULL,
  `data` json NOT NULL,
  `added` datetime(6) NOT NULL,
  `genre_id` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `isbn` (`isbn`),
  KEY `fk_book_genre_4a7b5375` (`genre_id`),
  CONSTRAINT `fk_book_genre_4a7b5375` FOREIGN KEY (`genre_id`) REFERENCES `genre` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `book_author` (
  `book_id` int NOT NULL,
  `author_id` int NOT NULL,
  UNIQUE KEY `uidx_book_author_book_id_818352` (`book_id`,`author_id`),
  KEY `author_id` (`author_id`),
  CONSTRAINT `book_author_ibfk_1` FOREIGN KEY (`book_id`) REFERENCES `book` (`id`) ON DELETE CASCADE,
  CONSTRAINT `book_author_ibfk_2` FOREIGN KEY (`author_id`) REFERENCES `author` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `copy` (
  `id` int NOT NULL AUTO_INCREMENT,
  `shelf` varchar(20) NOT NULL,
  `lost` tinyint(1) NOT NULL,
  `book_id` int NOT NULL,
  PRIMARY KEY (`id`),
  KEY `fk_copy_book_b201119e` (`book_id`),
  CONSTRAINT `fk_copy_book_b201119e` FOREIGN KEY (`book_id`) REFERENCES `book` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `genre` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(60) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `name` (`name`)
) ENGINE=InnoDB;
CREATE TABLE `loan` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `taken` datetime(6) NOT NULL,
  `due` date NOT NULL,
  `back` datetime(6) DEFAULT NULL,
  `fine` decimal(6,2) NOT NULL,
  `copy_of_id` int NOT NULL,
  `member_id` char(36) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `fk_loan_copy_46d2588c` (`copy_of_id`),
  KEY `fk_loan_member_056dcac9` (`member_id`),
  CONSTRAINT `fk_loan_copy_46d2588c` FOREIGN KEY (`copy_of_id`) REFERENCES `copy` (`id`) ON DELETE CASCADE,
  CONSTRAINT `fk_loan_member_056dcac9` FOREIGN KEY (`member_id`) REFERENCES `member` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `member` (
  `id` char(36) NOT NULL,
  `name` varchar(120) NOT NULL,
  `email` varchar(190) NOT NULL,
  `joined` datetime(6) NOT NULL,
  `closes` time(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `email` (`email`)
) ENGINE=InnoDB;
